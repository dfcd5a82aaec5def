"""Functions in user SQL are refused: our reading of the text equals the server's own."""

import random

import pytest

from analytics_worker.database import connections
from analytics_worker.database.reader_sessions import UserSqlError, reader_session
from analytics_worker.database.refused_functions import (
    HARMLESS_FUNCTIONS,
    REFUSED_NAMES,
    called_names,
    refused_functions,
)
from analytics_worker.database.select_guard import StatementError, refuse_functions
from analytics_worker.database.sql_tokens import UnfinishedError, tokens
from flows.alerts.evaluation.queries import read_samples
from flows.reports.formats import TableQuery, fetch_rows, open_snapshot
from tests.flows.alerts.rules import rule
from tests.support.attacks import attack
from tests.support.sql import execute, query
from tests.unit.test_one_statement import HIDDEN

pytestmark = pytest.mark.usefixtures("environment")

PIECES = [
    "'", "'", "'", "''", "\\", "\\'", "e'", "E'", "'\n'", "' -- '\n'", "u&'", "x'", "N'", '"', "$$", "$$", "$a$", "$a", "a$",
    "$é$", "--", "\n", "\r", "/*", "*/", "/", "*", "-", "+", "@", "|| ", ",", ",", " as é ", "1", "1e",
    " from ", "(", ")", " ", "\t", "\v", "analytics.marker()", ", analytics.marker() ", ";",
]  # fmt: skip
ENDS = ["", "'", ", '' ", "''", "\n'", "$$", "$a$", "*/", '"', "\n", "\n, 1", " -- '"]


@pytest.fixture
def refused(environment):  # noqa: ARG001  # its database
    pool = connections.engine("reader")
    with pool.connect() as connection:
        yield refused_functions(pool, connection.connection.driver_connection)


def is_seen(sql):
    try:
        return "marker" in called_names(t for t in tokens(sql) if t.kind != "comment")
    except UnfinishedError:
        return False


def mixtures():
    chance = random.Random(12)  # noqa: S311
    for _ in range(8_000):
        pieces = chance.choices(PIECES, k=chance.randint(1, 7))
        sql = "".join(["select ", chance.choice(["1", "'a'", "e'a"]), *pieces])
        yield sql + ", analytics.marker() " * chance.randint(0, 1) + chance.choice(ENDS)


def called_by_the_server(session, sql):
    """Return whether the function was called; None if the text was refused."""
    try:
        session.fetch(sql)
    except UserSqlError as error:
        return "called" in str(error) or None
    except StatementError:
        return None
    return False


@attack(
    by="author",
    what="8,000 mixtures of quotes, escapes, dollars and comments around a call, run by the server",
    answer="the text is read as by the server: every call of the server is detected",
)
def test_every_call_of_the_server_is_detected():
    execute(
        "create function analytics.marker() returns int language plpgsql"
        " as $$ begin raise 'called'; end $$"
    )
    hidden = [sql.replace("pg_sleep(9)", "analytics.marker()") for sql in HIDDEN]
    with reader_session() as session:
        answers = {sql: called_by_the_server(session, sql) for sql in [*hidden, *mixtures()]}
    assert [sql for sql, is_called in answers.items() if is_called and not is_seen(sql)] == []
    assert sum(answers[sql] is True for sql in hidden) > 10
    assert sum(answer is True for answer in answers.values()) > 100
    assert sum(answer is False for answer in answers.values()) > 100


@attack(
    by="author",
    what="A function of a newer server or of an extension that no list knows",
    answer="refused, because the server's catalog says that it is volatile",
)
def test_volatile_functions_of_the_catalog_are_refused_unless_listed_as_harmless(refused):
    assert {
        "pg_get_backend_memory_contexts",
        "pg_nextoid",
        "currtid2",
        "pg_terminate_backend",
    } < refused
    assert refused.isdisjoint(HARMLESS_FUNCTIONS)
    pool = connections.engine("reader")
    with pool.connect() as connection, pytest.raises(StatementError, match="pg_nextoid"):
        refuse_functions(
            "select pg_nextoid(1, 'a', 1)", pool, connection.connection.driver_connection
        )


def test_functions_that_reports_use_are_allowed(refused):
    names = query("select distinct proname from pg_proc where provolatile <> 'v'")
    wrong = {name for name in names if name in refused or REFUSED_NAMES.fullmatch(name)}
    xml = {name for name in wrong if "_to_xml" in name}
    endless = {"normalize", "is_normalized"}
    others = {"ts_rewrite", "pg_replication_origin_oid", "pg_backup_start_time"}
    assert wrong - xml - endless <= others
    with reader_session() as session:
        session.fetch(
            "select random(), clock_timestamp(), gen_random_uuid(), pg_total_relation_size('pg_class'),"
            " count(*) filter (where relname ~ 'pg_sleep'), string_agg(relname, ',')"
            " from pg_class tablesample system (10)"
        )


def test_no_operator_cast_or_aggregate_of_the_server_calls_a_refused_function():
    """Their functions are not named in the text."""
    volatile = "(select oid from pg_proc where provolatile = 'v')"
    assert query(f"select oprname from pg_operator where oprcode in {volatile}") == []
    assert query(f"select castfunc from pg_cast where castfunc in {volatile}") == []
    assert (
        query(
            "select aggfnoid from pg_aggregate"
            f" where aggtransfn in {volatile} or aggfinalfn in {volatile}"
        )
        == []
    )


@attack(
    by="author",
    what="select '\\', pg_terminate_backend(…), ' ' in a rule, a tile, a table of a report",
    answer="refused when it is run, too, however it was stored",
)
def test_it_is_refused_where_it_is_run():
    hidden = r"select '\', pg_terminate_backend(1), ' '"
    with reader_session() as session, pytest.raises(StatementError, match="pg_terminate_backend"):
        read_samples(session, rule(sql=hidden), None)
    with (
        pytest.raises(StatementError, match="pg_terminate_backend"),
        open_snapshot() as snapshot,
    ):
        fetch_rows(snapshot, TableQuery("t", hidden), 1)


@attack(
    by="author",
    what="A view, or a user's own function, that calls pg_sleep",
    answer="not visible in the text; the timeout of the rule applies",
)
def test_calls_hidden_in_a_view_or_function_are_stopped_by_the_timeout():
    execute("create view analytics.slow as select pg_sleep(3600)::text")
    execute("create function analytics.slow() returns void language sql as 'select pg_sleep(3600)'")
    execute("grant select on analytics.slow to analytics_reader")
    for sql in ("select * from analytics.slow", "select analytics.slow()"):
        with reader_session() as session, pytest.raises(UserSqlError, match="timeout"):
            read_samples(session, rule(sql=sql, timeout="1s"), None)


@attack(
    by="API caller",
    what="A parameter with a NUL character",
    answer="refused with the value",
)
def test_a_value_that_postgresql_does_not_have_is_refused():
    with reader_session() as session, pytest.raises(StatementError, match="can't be a value"):
        session.fetch("select :x", {"x": "a\0b"})
