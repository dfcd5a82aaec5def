"""Report SQL that tries more than to read, on a real database, as the role of reports."""

from pathlib import Path

import psycopg2
import pytest

from analytics_worker.database.connections import engine
from analytics_worker.errors import PermanentError
from flows.reports.formats import TableQuery, export, open_snapshot
from flows.reports.formats.query import statement
from tests.flows.alerts.test_attacks import ATTACKS
from tests.support.attacks import attack
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture(autouse=True)
def _metric(environment):  # noqa: ARG001  # its database
    execute("create table analytics.metric (value double precision)")
    execute("grant select on analytics.metric to analytics_reader")
    execute("insert into analytics.metric values (7)")


def refused(sql: str, name: str, path: Path) -> bool:
    try:
        with open_snapshot() as snapshot:
            export(snapshot, [TableQuery("Attack", sql)], path, name)
    except (PermanentError, psycopg2.Error):
        return not path.exists()
    return False


def disable_checks(monkeypatch):
    monkeypatch.setattr(statement, "check", lambda _sql: None)
    monkeypatch.setattr(statement, "refuse_functions", lambda *_: None)


@attack(
    by="author",
    what="Writing, DDL, COPY, roles, server files, large objects, ops.* in the SQL of a report",
    answer="refused by the server, also without the checks of the text; no file is written",
)
@pytest.mark.parametrize("name", ["csv", "xlsx"])
def test_attacks_are_refused_by_the_server_itself(name, tmp_path, monkeypatch):
    """The checks of the text are disabled, so the SQL reaches the cursor of reports."""
    disable_checks(monkeypatch)
    assert [sql for sql in ATTACKS if not refused(sql, name, tmp_path / "f")] == []
    assert query("select to_regclass('analytics.stolen')") == [None]
    assert query("select value from analytics.metric") == [7.0]
    assert query("select count(*) from pg_largeobject_metadata") == [0]


@attack(
    by="author",
    what="search_path and limits set for the next report",
    answer="reset before each query, discarded before the connection is used again",
)
def test_session_state_of_a_report_does_not_reach_the_next_one(tmp_path, monkeypatch):
    disable_checks(monkeypatch)
    sql = "select set_config('search_path', 'ops', false), set_config('statement_timeout', '0', false)"
    with open_snapshot() as snapshot:
        export(snapshot, [TableQuery("Sets", sql)], tmp_path / "f", "csv")
        export(
            snapshot,
            [TableQuery("Next", "select current_setting('search_path') as p")],
            tmp_path / "g",
            "csv",
        )
    assert "ops" not in (tmp_path / "g").read_text()
    connection = engine("reader").raw_connection()
    cursor = connection.cursor()
    cursor.execute("select current_setting('search_path')")
    assert cursor.fetchone() == ('"$user", public',)
    connection.close()


@attack(
    by="data",
    what="'); drop table …; -- as the value of a parameter or of a row of for_each",
    answer="a value, quoted by the driver",
)
def test_parameters_are_bound_as_values(tmp_path):
    naughty = "'); drop table analytics.metric; --"
    with open_snapshot() as snapshot:
        table = TableQuery(
            "Bound",
            "select :x as x, cast(:list as text []) as l",
            {"x": naughty, "list": ["a'b", naughty]},
        )
        export(snapshot, [table], tmp_path / "f", "ndjson")
    assert naughty in (tmp_path / "f").read_text()
    assert query("select value from analytics.metric") == [7.0]
