"""A warehouse that refuses to write, of a full disk or a former primary, is an outage and named with its fix."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import InternalError

from analytics_worker.circuit_breaker import CircuitOpenError, db_circuit_breaker
from analytics_worker.database import connections
from analytics_worker.database.connections import direct_connection, reader, warehouse_url
from analytics_worker.doctor import database
from analytics_worker.errors import is_database_outage, is_permanent
from analytics_worker.stack.postgres.cluster import OWNER
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from flows.dbt._failures import is_outage
from flows.monitoring.checks.database import check_database
from tests.support.doctor_findings import problems
from tests.support.postgres import administer
from tests.support.sql import execute, query

WRITE = "truncate ops.refresh_log"
IN_DATABASE = "alter database {name} "
OF_ROLE = "alter role {owner} in database {name} "
Change = Callable[[str], None]


@pytest.fixture
def change(environment: str, postgres: EmbeddedPostgres) -> Iterator[Change]:
    """Run a statement about this test's database as superuser."""
    name = str(make_url(environment).database)
    yield lambda statement: administer(postgres, statement, name=name, owner=OWNER)
    db_circuit_breaker.reset()


@pytest.mark.parametrize(
    ("where", "fix"), [(IN_DATABASE, "ALTER DATABASE "), (OF_ROLE, f"ALTER ROLE {OWNER} IN ")]
)
def test_doctor_and_health_name_it_with_the_statement_that_ends_it(
    change: Change, where: str, fix: str
):
    assert check_database().status == "healthy"
    change(f"{where} set default_transaction_read_only = on")
    finding = check_database()
    with direct_connection(warehouse_url()) as connection:
        found = problems(database.primary(connection))["writes"]
    assert (finding.status, found.level) == ("unhealthy", "fail")
    for message, named in ((finding.message, finding.fix), (found.message, found.fix)):
        assert "The database is read-only" in message
        assert f"run `{fix}" in named
    change(f"{where} reset default_transaction_read_only")
    assert check_database().status == "healthy"


def test_it_opens_the_breaker_and_ends_without_a_restart(change: Change):
    change(f"{IN_DATABASE} set default_transaction_read_only = on")
    connections.dispose()
    for _ in range(db_circuit_breaker.fail_max):
        with pytest.raises(
            InternalError, match="`analytics-worker doctor` names the fix"
        ) as refused:
            execute(WRITE)
        assert is_database_outage(refused.value)
        assert not is_permanent(refused.value)
    with pytest.raises(CircuitOpenError):
        execute(WRITE)
    db_circuit_breaker.reset()
    assert query("select 1") == [1]  # a session that still has the old default
    change(f"{IN_DATABASE} reset default_transaction_read_only")
    with pytest.raises(InternalError):
        execute(WRITE)
    execute(WRITE)


@pytest.mark.parametrize("is_read_only", [False, True])
def test_user_sql_that_writes_is_no_outage(change: Change, is_read_only: bool):
    if is_read_only:
        change(f"{IN_DATABASE} set default_transaction_read_only = on")
        connections.dispose()
    with pytest.raises(InternalError) as refused, reader() as connection:
        connection.exec_driver_sql("create temporary sequence s")
    assert not is_database_outage(refused.value)
    assert db_circuit_breaker.current_state == "closed"


def test_the_database_is_no_outage_because_a_transaction_of_its_own_is_read_only(change: Change):
    del change
    with pytest.raises(InternalError) as refused:
        execute(f"set transaction read only; {WRITE}")
    assert not is_database_outage(refused.value)


def test_dbt_on_it_is_an_outage():
    assert is_outage("Database Error\n  cannot execute CREATE TABLE in a read-only transaction")
