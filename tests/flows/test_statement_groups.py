"""Statements that share one message to the server return what they return alone, or run alone."""

import pytest

from analytics_worker.database import reader_sessions
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.statement_groups import Statement, fetch_together
from tests.flows.alerts.rules import rule, store, tick
from tests.support.attacks import attack
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("usual_grants")

ORDINARY = {
    "a number": "select 1 as value",
    "numbers of every kind": "select 1::int2 a, 2::int8 b, 0.10 c, 1e300::float8 d, 1.5::float4 e, 'NaN'::numeric f",
    "NULL alone": "select null as value",
    "an empty text alone": "select '' as value",
    "two empty texts and NULL": "select '' a, null b, '' c",
    "quotes and backslashes": r"""select '"' a, '\' b, '\"' c, '""' d, ',' e, '(' f, ')' g, ' x ' h""",
    "lines and tabs": "select E'a\\nb\\tc' as value",
    "one column twice": "select 1 as value, 2 as value",
    "odd names": """select 1 as "a""b", 2 as "ключ", 3 as "{}", 4 as " ", 5 as "\\" """,
    "some rows": "select n as value, 'k' || n as key from generate_series(1, 20) n",
    "times": "select timestamptz '2026-03-29 02:30+01', date '4000-01-01 BC', interval '-1 mon 2 days', time '24:00'",
    "arrays, json, bytes": "select array[[1, 2], [3, null]] a, '{\"b\": [1]}'::json b, '{}'::jsonb c, '\\xdeadbeef'::bytea d",
    "a row, a range, a boolean": "select row(1, null, 'x,y') a, int4range(1, 5) b, true c",
    "a comment at the end": "select 1 as value -- done",
    "a semicolon": "select 1 as value;",
    "the words of a block": "select '$$; end; $b$ commit' as value",
}
ALONE = {
    "no row": "select 1 as value where false",
    "no column": "select from generate_series(1, 1)",
    "many rows": "select n as value from generate_series(1, 500) n",
    "a long text": "select repeat('x', 5000) as value",
    "an error": "select 1 / 0 as value",
    "an error in a later row": "select 1 / (3 - n) as value from generate_series(1, 5) n",
    "two statements": "select 1 as value; select 2 as value",
    "a statement that writes": "create table t (a int)",
    "a refused function": "select pg_sleep_for('1 hour')",
    "a parameter without a value": "select :missing as value",
    "a domain": "select 't'::flag as value",
}


@pytest.fixture
def session():
    """A session for which a domain exists."""
    execute("drop domain if exists public.flag; create domain public.flag as boolean")
    with reader_session() as opened:
        yield opened


@pytest.fixture
def _unchecked(monkeypatch):
    """Run a call that a view or a user's own function could hide from the check of the text."""
    monkeypatch.setattr(reader_sessions, "refuse_functions", lambda *_: None)


def together(session, *texts: str):
    return fetch_together(session, [Statement(text, {}) for text in texts])


def test_the_rows_are_those_of_the_statement_alone(session):
    found = together(session, *ORDINARY.values())
    assert {name: found[n].table for n, name in enumerate(ORDINARY)} == {
        name: session.fetch(sql) for name, sql in ORDINARY.items()
    }


def test_what_is_not_ordinary_is_left_out_and_changes_nothing_for_the_others(session):
    for name, sql in ALONE.items():
        found = together(session, "select 7 as first", sql, "select 8 as last")
        rows = {n: each.table.rows for n, each in found.items()}
        assert rows == {0: [("7",)], 2: [("8",)]}, name


@pytest.mark.parametrize("sql", ["select pg_sleep(20)", "select public.cancels()"])
@pytest.mark.usefixtures("_unchecked")
def test_all_run_alone_after_a_slow_one_or_a_cancellation(session, sql):
    execute(
        "create or replace function public.cancels() returns int language plpgsql as"
        " $$ begin raise query_canceled; end $$; grant execute on function public.cancels to public"
    )
    assert together(session, "select 7 as first", sql, "select 8 as last") == {}
    assert session.fetch("select 8 as last").rows == [("8",)]


@attack(
    by="author",
    what="A statement that changes settings, takes locks or raises the error of the block of its group",
    answer="the next statement of the group has the usual settings and no lock; the rows are its own",
)
@pytest.mark.usefixtures("_unchecked")
def test_nothing_of_one_statement_reaches_the_next(session):
    execute(
        "create or replace function public.raises() returns int language plpgsql as"
        " $$ begin raise exception using errcode = 'AW000'; end $$;"
        " grant execute on function public.raises to public"
    )
    seen = (
        "select current_setting('datestyle'), current_setting('statement_timeout'),"
        " (select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid())"
    )
    found = together(
        session,
        "select set_config('datestyle', 'German', false), set_config('statement_timeout', '0', false)",
        "select pg_advisory_lock(7), pg_advisory_xact_lock(8)",
        "select public.raises()",
        seen,
    )
    assert 2 not in found
    assert found[3].table.rows == [("ISO, YMD", "1s", "0")]


@pytest.mark.usefixtures("_unchecked")
def test_a_session_that_ends_in_a_group_is_replaced(session):
    assert together(session, "select pg_terminate_backend(pg_backend_pid())", "select 8") == {}
    assert session.fetch("select 8 as last").rows == [("8",)]
    assert sorted(together(session, "select 1", "select 2")) == [0, 1]


def test_rules_of_one_group_have_their_own_results():
    odd = {
        "breaks": rule("breaks", "select 1 / 0 as value"),
        "empty": rule("empty", "select 1 as value where false"),
        "text": rule("text", "select 'many' as value"),
        "two rows": rule("two rows", "select * from (values (1), (2)) as v (value)"),
        "keys": rule("keys", "select 11 as value, n as k from generate_series(1, 3) n", key_columns=["k"]),
    }  # fmt: skip
    store(*odd.values(), *(rule(f"fires {n}") for n in range(30)))
    counts = tick(0)
    assert (counts.evaluated, counts.errors, counts.firing) == (35, 3, 31)
    assert query("select count(*) from ops.alert_evaluations where milliseconds > 0") == [35]
    rows = query(
        "select array[rule.name, coalesce(evaluation.error, evaluation.status)]"
        " from ops.alert_evaluations as evaluation"
        " inner join ops.alert_rules as rule on rule.id = evaluation.rule_id"
        " where rule.name not like 'fires%'"
    )
    assert dict(rows) == {
        "breaks": "division by zero",
        "empty": "no_data",
        "text": "column 'value': 'many' is not a valid number",
        "two rows": "2 rows; expected one: add reduce (first, min, max, sum or count), or key_columns for one state per key",
        "keys": "firing",
    }  # fmt: skip
