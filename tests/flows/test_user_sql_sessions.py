"""One author's SQL never stops that of others: ended sessions, unusual errors, large results."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database import reader_sessions
from analytics_worker.database.reader_sessions import (
    UserSqlError,
    reader_session,
)
from analytics_worker.database.session_errors import SessionEndedError, retry_on_session_end
from analytics_worker.errors import PermanentError
from flows.alerts.evaluation.queries import read_samples
from flows.reports.formats import TableQuery, fetch_rows, open_snapshot
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("usual_grants")

ENDS_ITSELF = "select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)"
BUSY = "select count(*) from generate_series(1, 10000000000)"


@pytest.fixture
def _unchecked(monkeypatch):
    """Run a call that a view or a user's own function could hide from the check of the text."""
    monkeypatch.setattr(reader_sessions, "refuse_functions", lambda *_: None)


@attack(
    by="author",
    what="pg_terminate_backend of the sessions of ten rules, twice the limit of the database breaker",
    answer="each rule fails alone, the others are evaluated, the breaker stays closed",
)
@pytest.mark.usefixtures("_unchecked")
def test_sessions_of_rules_that_are_ended_open_no_breaker():
    store(*(rule(f"ends-{n}", ENDS_ITSELF) for n in range(10)), rule("well"))
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (11, 10, 1)
    reasons = query("select distinct error from ops.alert_evaluations where error is not null")
    assert all("the session was ended while the SQL ran" in reason for reason in reasons)
    assert db_circuit_breaker.fail_counter == 0


def count_while(end):
    """Run a long query of a report, and act on its session."""
    busy = (
        "select 1 from pg_stat_activity where pid = :pid and state = 'active' and query like :like"
    )
    with open_snapshot(timeout=timedelta(seconds=60)) as snapshot, reader_session() as other:
        of_this = {"pid": snapshot.connection.info.backend_pid, "like": "%(w.q).*%"}
        with ThreadPoolExecutor() as pool:
            running = pool.submit(fetch_rows, snapshot, TableQuery("Sales", BUSY), 1)
            wait_until(lambda: other.fetch(busy, of_this).rows, timeout=50)
            other.fetch(f"select {end}(:pid)", of_this)
            return running.result(60)


@attack(
    by="author",
    what="pg_terminate_backend of another report's session while its query runs, six times",
    answer="retried once, then that report's own error; the breaker stays closed",
)
@pytest.mark.usefixtures("_unchecked")
def test_sessions_of_reports_that_are_ended_open_no_breaker():
    tries = []

    def attempt():
        tries.append(1)
        return count_while("pg_terminate_backend")

    for _ in range(3):
        with pytest.raises(SessionEndedError, match="ended while the SQL ran"):
            retry_on_session_end(attempt)
    assert len(tries) == 6
    assert db_circuit_breaker.fail_counter == 0


@attack(
    by="author",
    what="pg_cancel_backend of another report's query",
    answer="that report's own error; the breaker stays closed",
)
@pytest.mark.usefixtures("_unchecked")
def test_a_cancelled_query_is_no_outage():
    with pytest.raises(UserSqlError, match="Sales: the query was cancelled"):
        count_while("pg_cancel_backend")
    assert db_circuit_breaker.fail_counter == 0


@pytest.mark.usefixtures("_unchecked")
def test_a_statement_whose_session_was_ended_once_is_retried_on_a_new_one():
    execute("create table analytics.first (pid int)")
    execute("grant select on analytics.first to analytics_reader")
    with reader_session() as session:
        ((pid,),) = session.fetch("select pg_backend_pid()").rows
        only_here = f"select pg_backend_pid() where pg_backend_pid() <> {pid} or pg_terminate_backend({pid})"
        ((other,),) = session.fetch(only_here).rows
    assert other != pid


@attack(
    by="author",
    what="Errors that look like an outage: a function that raises 08006, 53300, 57P01, 57P02, 58030",
    answer="the rule's own error, because the connection is still open",
)
@pytest.mark.parametrize("code", ["08006", "53300", "57P01", "57P02", "57P03", "58030"])
def test_an_error_that_a_function_raises_is_the_rule_s_own_error(code):
    execute(
        "create function analytics.raises() returns int language plpgsql"
        f" as $$ begin raise 'made up' using errcode = '{code}'; end $$"
    )
    with reader_session() as session, pytest.raises(UserSqlError, match="made up"):
        session.fetch("select analytics.raises()")
    with pytest.raises(UserSqlError, match="made up"), open_snapshot() as snapshot:
        fetch_rows(snapshot, TableQuery("t", "select analytics.raises()"), 1)
    assert db_circuit_breaker.fail_counter == 0


@attack(
    by="data",
    what="Values that Python can't hold: dates after 9999, infinities in arrays, endless intervals",
    answer="the text that the server prints, as key and in pages; as value the rule's own error",
)
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("'20000-01-01'::date", "20000-01-01"),
        ("'44-03-15 BC'::date", "0044-03-15 BC"),
        ("'{infinity}'::date[]", "{infinity}"),
        ("'9999999 years'::interval", "9999999 years"),
        ("'{a}'::bytea[]", '{"\\\\x61"}'),
    ],
)
def test_a_value_that_python_cannot_hold_is_text(value, text):
    store(
        rule("key", f"select 11 as value, {value} as key", key_columns=["key"]),
        rule("value", f"select {value} as value"),
        rule("well"),
    )
    counts = tick(0)
    errors = 0 if "interval" in value else 1
    assert (counts.evaluated, counts.errors, counts.firing) == (3, errors, 3 - errors)
    assert query("select key from ops.alert_states where key <> ''") == [json.dumps([text])]
    with open_snapshot() as snapshot:
        assert fetch_rows(snapshot, TableQuery("t", f"select {value}"), 1).rows == ((text,),)
    assert db_circuit_breaker.fail_counter == 0


@pytest.mark.usefixtures("_unchecked")
def test_a_timeout_that_was_stored_before_there_was_a_bound_is_cut(monkeypatch):
    monkeypatch.setattr("flows.alerts.evaluation.queries.MAX_TIMEOUT", timedelta(seconds=1))
    endless = rule(sql="select pg_sleep(3600)", timeout="400d")
    with reader_session() as session, pytest.raises(UserSqlError, match="stopped after 1 s"):
        read_samples(session, endless, None)


@pytest.mark.parametrize(
    "sql",
    [
        'select :a$x$ as n, pg_sleep(9) as value from (select 1 as U&"true\\0024x\\0024") t --$x$',
        "select $:a$ ' $true$ , pg_sleep(9) --'",
        "select :a$x$, 1 as value, pg_sleep(9) --$x$",
    ],
)
@attack(
    by="author",
    what="A bound true that the server joins with $x$ beside it, behind which a call is hidden",
    answer="Refused, or the call stays a text: nothing is called",
)
def test_a_bound_value_hides_no_call_from_the_check(sql):
    with reader_session() as session:
        message = ""
        try:
            session.fetch(sql, {"a": True}, timeout=timedelta(seconds=2))
        except PermanentError as error:
            message = str(error)
        assert "stopped after" not in message


@pytest.mark.usefixtures("_unchecked")
def test_no_statement_changes_the_timeout_of_the_next():
    limit = "select current_setting('statement_timeout')"
    unlimited = "select set_config('statement_timeout', '0', false)"
    with reader_session() as session:
        found = [
            session.fetch(sql, timeout=timedelta(seconds=seconds)).rows[0][0]
            for sql, seconds in [
                (limit, 10), (unlimited, 10), (limit, 10), (limit, 3), (unlimited, 3), (limit, 10)
            ]
        ]  # fmt: skip
    assert found == ["10s", "0", "10s", "3s", "0", "10s"]
