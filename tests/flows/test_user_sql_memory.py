"""The memory of one author's SQL in the embedded PostgreSQL is limited, and others continue."""

import psutil
import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from analytics_worker.stack.postgres.server import PROCESS_BYTES
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("environment")

MILLION = "generate_series(1, 1000000)"
LARGE = [
    "select repeat('x', 1000000000)",
    "select length(repeat('x', 1000000000))",
    f"select length(string_agg(repeat('x', 1000), '')) from {MILLION}",
    "select length(json_agg(repeat('x', 100000))::text) from generate_series(1, 9000)",
    "select cardinality(array_fill(0, array[130000000]))",
]


@attack(
    by="author",
    what="a statement that makes PostgreSQL hold gigabytes: repeat, string_agg, json_agg, array_fill",
    answer="out of memory for that statement; the server and its other sessions continue, the breaker stays closed",
)
@pytest.mark.parametrize("sql", LARGE)
def test_a_statement_that_wants_gigabytes_fails_alone(sql):
    started = query("select pg_postmaster_start_time()::text")
    with reader_session() as other, reader_session() as session:
        assert other.fetch("select 1").rows == [("1",)]
        with pytest.raises(UserSqlError, match="out of memory"):
            session.fetch(sql)
        assert session.fetch("select 2").rows == [("2",)]
        assert other.fetch("select 3").rows == [("3",)]
    assert query("select pg_postmaster_start_time()::text") == started
    assert db_circuit_breaker.fail_counter == 0


def test_a_rule_reports_it_and_the_next_one_is_evaluated():
    store(rule("large", LARGE[0]), rule("well"))
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (2, 1, 1)
    (reason,) = query("select error from ops.alert_evaluations where error is not null")
    assert "out of memory" in reason


def test_each_process_of_the_server_has_the_bound():
    (pid,) = query("select pg_backend_pid()")
    assert psutil.Process(pid).rlimit(psutil.RLIMIT_AS) == (PROCESS_BYTES, PROCESS_BYTES)
