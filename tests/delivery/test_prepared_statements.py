"""A prepared statement behaves like the plain one, also after another client used the session."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from sqlalchemy import Connection, text

from analytics_worker.database.connections import direct_connection, parse_url, warehouse
from analytics_worker.delivery.statements import execute, execute_prepared
from tests.support.pgbouncer import Pooled

UNKNOWN = {
    "id": "00000000-0000-0000-0000-000000000000",
    "owner": "nobody :status 100% $1",
    "channel": "webhook",
    "receipt": '{"id": "a:b %s"}',
    "status": "sent",
    "attempts": 1,
    "delay_seconds": 0.0,
    "error": "it's %(gone)s; $1 \\ :id",
}
NOTHING = {"recorded": False, "members": 0, "paused": False}


pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture
def session() -> Iterator[Connection]:
    with warehouse(autocommit=True) as connection:
        yield connection


def settle(connection, run=execute_prepared):
    (row,) = run(connection, "settle", **UNKNOWN)
    return dict(row)


def plans(connection):
    return connection.scalars(text("select name from pg_prepared_statements")).all()


def test_a_statement_is_planned_once_and_answers_like_the_plain_one(session):
    assert settle(session, execute) == NOTHING
    assert [settle(session) for _ in range(8)] == [NOTHING] * 8
    (plan,) = plans(session)
    assert plan.startswith("delivery_settle_")


def test_a_session_that_lost_its_plans_is_served(session):
    settle(session)
    session.execute(text("discard plans; deallocate all"))
    assert settle(session) == NOTHING


def test_a_session_in_which_another_client_prepared_it_is_served(session):
    settle(session)
    session.info.clear()
    assert settle(session) == NOTHING


def test_other_errors_are_raised(session):
    with pytest.raises(Exception, match="invalid input syntax for type uuid"):
        execute_prepared(session, "settle", **UNKNOWN | {"id": "none"})


def test_sessions_of_a_pooler_in_transaction_mode_are_served(pooled: Pooled):
    url = parse_url(pooled("transaction"))
    with ExitStack() as stack:
        clients = [stack.enter_context(direct_connection(url, autocommit=True)) for _ in range(3)]
        answers = [settle(client) for _ in range(4) for client in clients]
    assert answers == [NOTHING] * 12
