"""Attacks by the SQL of rules, on a real database, with the role that rules run as."""

import time
from contextlib import closing
from datetime import timedelta

import psycopg2
import psycopg2.errors
import pytest

from analytics_worker.database import reader_sessions
from analytics_worker.database.connections import engine
from analytics_worker.database.query_canceller import cancel_on_timeout
from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from tests.flows.alerts.rules import execute, query, set_metric
from tests.support.attacks import attack

pytestmark = pytest.mark.usefixtures("usual_grants")

ATTACKS = [
    "select 1; drop table analytics.metric",
    "commit; delete from analytics.metric",
    "rollback; begin read write; delete from analytics.metric; commit; select 1",
    "with gone as (delete from analytics.metric returning 1) select * from gone",
    "insert into analytics.metric values (1) returning value",
    "copy (select 1) to program 'touch /tmp/attacked'",
    "copy analytics.metric from program 'echo 1'",
    "select value into analytics.stolen from analytics.metric",
    "select value into temp stolen from analytics.metric",
    "create table analytics.stolen as select 1",
    "select * from analytics.metric for update",
    "do $$ begin delete from analytics.metric; end $$",
    "select pg_read_file('/etc/passwd')",
    "select lo_create(0)",
    "select lo_export(0, '/tmp/attacked')",
    "select lo_import('/etc/passwd')",
    "select set_config('transaction_read_only', 'off', false)",
    "set transaction read write",
    "set role analytics",
    "set session authorization analytics",
    "reset all",
    "prepare p as delete from analytics.metric",
    "listen x",
    "lock table analytics.metric",
    "select * from ops.alert_rules",
    "select * from ops.promises",
    "select ops.take_session_lock('dbt')",
    "select * from pg_authid",
    "call pg_catalog.nothing()",
    "truncate analytics.metric",
    "select pg_reload_conf()",
]


@pytest.fixture(autouse=True)
def _metric(environment):  # noqa: ARG001  # its database
    set_metric(7)


@pytest.fixture(autouse=True)
def _unchecked(monkeypatch):
    """Disable the checks of the SQL text, so that only the server protects."""
    monkeypatch.setattr(reader_sessions, "refuse_functions", lambda *_: None)


@attack(
    by="author",
    what="Writing, DDL, COPY, roles, server files, large objects, ops.* in the SQL of a rule",
    answer="rejected by the server, even without the checks of the text",
)
@pytest.mark.parametrize("sql", ATTACKS)
def test_the_server_rejects_the_statement(sql):
    with reader_session() as session:
        with pytest.raises(UserSqlError):
            session.fetch(sql)
        assert session.fetch("select value from analytics.metric").rows == [("7",)]
    assert query("select to_regclass('analytics.stolen')") == [None]
    assert query("select value from analytics.metric") == [7.0]
    assert query("select count(*) from pg_largeobject_metadata") == [0]


@attack(
    by="author",
    what="set_config('statement_timeout', '0', false) in a rule",
    answer="the timeout applies to this statement and to the next",
)
def test_a_statement_can_not_lift_its_timeout_nor_that_of_the_next():
    with reader_session() as session:
        started = time.monotonic()
        no_limit = "select set_config('statement_timeout', '0', false), pg_sleep(3600)"
        with pytest.raises(UserSqlError, match="timeout"):
            session.fetch(no_limit, timeout=timedelta(seconds=1))
        session.fetch("select set_config('statement_timeout', '0', false)")
        with pytest.raises(UserSqlError, match="timeout"):
            session.fetch("select pg_sleep(3600)", timeout=timedelta(seconds=1))
        assert time.monotonic() - started < 30


@attack(
    by="author",
    what="Settings and advisory locks that remain for the next rule",
    answer="reset before the next statement",
)
def test_the_session_is_reset_before_the_next_statement():
    with reader_session() as session:
        session.fetch("select set_config('search_path', 'ops', false), pg_advisory_lock(1)")
        session.fetch("select set_config('role', 'analytics_reader', false)")
        ((path, locks),) = session.fetch(
            "select current_setting('search_path'), (select count(*) from pg_locks where locktype = 'advisory')"
        ).rows
    assert (path, locks) == ('"$user", public', "0")


def test_a_killed_session_is_replaced():
    with reader_session() as session:
        with pytest.raises((UserSqlError, psycopg2.Error)):
            session.fetch("select pg_terminate_backend(pg_backend_pid())")
        assert session.fetch("select 1").rows == [("1",)]


@attack(
    by="author",
    what="pg_terminate_backend of the worker's own session",
    answer="permission denied",
)
def test_only_sessions_of_the_same_role_can_be_terminated():
    (pid,) = query("select pg_backend_pid()")
    with reader_session() as session, pytest.raises(UserSqlError, match="permission denied"):
        session.fetch(f"select pg_terminate_backend({pid})")


@attack(
    by="author",
    what="A query that the server does not stop in time",
    answer="cancelled by the worker",
)
def test_the_query_canceller_cancels_a_query_that_the_server_does_not_stop():
    connection = engine("warehouse").raw_connection()
    try:
        with (
            cancel_on_timeout(connection.driver_connection, timedelta(0)),
            closing(connection.cursor()) as cursor,
            pytest.raises(psycopg2.errors.QueryCanceled),
        ):
            cursor.execute("select pg_sleep(3600)")
    finally:
        connection.close()


@attack(
    by="data",
    what="'; drop table …; -- as the value of a parameter",
    answer="bound as a value, quoted by the driver",
)
def test_parameter_values_are_bound():
    with reader_session() as session:
        value = "'; drop table analytics.metric; --"
        assert session.fetch("select :value as value", {"value": value}).rows == [(value,)]
    execute("select 1 from analytics.metric")
