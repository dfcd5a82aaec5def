"""Odd values in what was sent: only a number that is another one is a difference."""

from typing import Any

import pytest
from sqlalchemy import text

from analytics_worker.database import connections
from analytics_worker.database.connections import warehouse
from flows.reports.definitions.model import Report
from flows.reports.restatement.diff import RunDiff, diff_run
from flows.reports.restatement.texts import change_text
from tests.flows.reports.reports import report
from tests.flows.reports.restated import create_sales, sales_report, send
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

WHERE = "where :period_start < :period_end"
MANY_DIGITS = "1234567890123456789012345678901234567890"


@pytest.fixture(autouse=True)
def _folder(report_folder):
    del report_folder


def create(columns: str, values: str) -> None:
    """Create a table that reports read, in place of an earlier one."""
    execute(
        f'drop table if exists raw."Odd {{x}} 100%"; create table raw."Odd {{x}} 100%" ({columns})'
    )
    execute('grant select on raw."Odd {x} 100%" to analytics_reader')
    with warehouse() as connection:
        connection.execute(text(f'insert into raw."Odd {{x}} 100%" values {values}'))


def of_table(columns: str = "*", **fields: Any) -> Report:
    """Return a report with all rows of the table."""
    return report("odd", f'select {columns} from raw."Odd {{x}} 100%" {WHERE}', **fields)


def changes(run: int) -> list[str]:
    """Return the differences of a run with now; there is no error, and nothing is left out."""
    found: RunDiff = diff_run(run)
    assert (found.comparison.failed, found.not_compared) == ([], [])
    return [change_text(each) for each in found.comparison.changes]


@pytest.mark.parametrize("name", ["csv", "json", "xlsx", "html"])
@pytest.mark.parametrize(
    ("columns", "sent", "same", "other"),
    [
        ("n numeric", "(1.50), (null)", "(null), (1.5)", "(1.51), (null)"),
        ("n numeric", "('NaN'), (1)", "(1), ('NaN')", "('NaN'), (2)"),
        ("n numeric", f"({MANY_DIGITS})", f"({MANY_DIGITS}.0)", f"({MANY_DIGITS}.1)"),
        ("n numeric", "(1e-300)", "(1e-300)", "(0)"),
        ("n float8", "('NaN'), (1), (null)", "(1), (null), ('NaN')", "('NaN'), (2), (null)"),
        ("n float8", "('Infinity'), (1)", "(1), ('Infinity')", "('-Infinity'), (1)"),
        ("n float8", "(1e308), (1e308), (-1e308)", "(-1e308), (1e308), (1e308)", "(1e308), (1e308), (-1.1e308)"),
        ("n float8", "(1e-300)", "(1.0000000000001e-300)", "(2e-300)"),
        ("n float8", "(0.1), (0.3)", "(0.30000000000000004), (0.1)", "(0.1), (null)"),
        ("n float4", "(0.1)", "(0.1)", "(0.2)"),
        ("n int[]", "('{1,null}')", "('{1,null}')", "('{1,2}')"),
        ("n jsonb", """('{"b": 1, "a": [2]}')""", """('{"a": [2], "b": 1}')""", """('{"a": [3], "b": 1}')"""),
        ("n timestamptz", "('2026-11-24 10:00+01')", "('2026-11-24 09:00Z')", "('2026-11-24 10:00Z')"),
        ("n text", "(e'a\\n\\x1b[31m|,\\x02\"'), ('')", "(''), (e'a\\n\\x1b[31m|,\\x02\"')", "(e'a\\n\\x1b[32m|,\\x02\"'), ('')"),
        ("k text, n int", "('a', 1), ('a', 1), ('b', 2)", "('b', 2), ('a', 1), ('a', 1)", "('a', 1), ('b', 2), ('b', 2)"),
        ("k text, n int", "('a', 1), ('b', 2)", "('b', 2), ('a', 1)", "('a', 2), ('b', 1)"),
        ("k text, n float8", "('a', 1), ('b', 2)", "('b', 2), ('a', 1)", "('a', 2), ('b', 1)"),
    ],
)  # fmt: skip
def test_tables(columns, sent, same, other, name):
    """The file is hashed while it is written, and the server hashes the same rows later."""
    create(columns, sent)
    run = send(of_table(format=name))
    assert changes(run) == []
    create(columns, same)
    assert changes(run) == []
    create(columns, other)
    assert changes(run) == ["odd: other values in the same number of rows"]


@pytest.mark.parametrize(
    ("sent", "now", "is_different"),
    [
        ("1.50::numeric", "1.5::numeric", False),
        ("0.1::float8 + 0.2::float8", "0.3::float8", False),
        ("0.3::float8", "0.3::numeric", False),
        ("0.30000000000000004::float8", "0.3::numeric", False),
        ("'NaN'::float8", "'NaN'::numeric", False),
        ("'Infinity'::float8", "'-Infinity'::float8", True),
        ("'NaN'::numeric", "1", True),
        ("null::int", "0", True),
        (f"{MANY_DIGITS}::numeric", f"{MANY_DIGITS}::numeric + 1", True),
        ("1e-300::float8", "1e-300::float8", False),
        ("1e-300::float8", "2e-300::float8", True),
        ("0::float8", "'-0'::float8", False),
    ],
)
def test_tiles(sent, now, is_different):
    """A view stands between, so that the SQL of the run is the same."""
    execute(f"create view raw.v as select {sent} as n; grant select on raw.v to analytics_reader")
    tiles = [{"title": "t", "sql": f"select n from raw.v {WHERE}"}]
    run = send(report("odd", f"select 1 as one {WHERE}", tiles=tiles))
    execute(
        f"drop view raw.v; create view raw.v as select {now} as n; grant select on raw.v to analytics_reader"
    )
    assert bool(changes(run)) is is_different


def test_points_of_a_chart_in_another_order():
    create("k text, n numeric", "('a', 1), ('a', 2), ('b', 'NaN'), (e'c\\n\\x1b[31m', 4)")
    chart = {"title": "c", "sql": f'select k, n from raw."Odd {{x}} 100%" {WHERE}'}
    run = send(of_table("count(*) as n", charts=[chart]))
    create("k text, n numeric", "(e'c\\n\\x1b[31m', 4), ('b', 'NaN'), ('a', 2), ('a', 1)")
    assert changes(run) == []
    create("k text, n numeric", "(e'c\\n\\x1b[31m', 5), ('b', 'NaN'), ('a', 2), ('a', 3)")
    assert changes(run) == ["c, a: 1 → 3", "c, c⏎\ufffd[31m: 4 → 5"]


@pytest.mark.parametrize(
    ("change", "title", "problem"),
    [
        ("rename column n to m", "odd", "its columns are k, m, f; sent were k, n, f"),
        ("rename column n to m", "c", "its columns are m, f; sent were n, f"),
        ("alter column n type float8", "odd", "2 of its columns are in double precision; sent were 1"),
    ],
)  # fmt: skip
def test_other_columns_are_an_error_and_no_difference(change, title, problem):
    create("k text, n numeric, f float8", "('a', 1, 2)")
    chart = {"title": "c", "sql": f'select * from raw."Odd {{x}} 100%" {WHERE}'}
    run = send(of_table(charts=[chart]))
    execute(f'alter table raw."Odd {{x}} 100%" {change}')
    found = diff_run(run).comparison
    assert found.changes == []
    assert f"{title}: {problem}" in [each.problem for each in found.failed]


def test_a_table_is_read_once_more_only_if_nothing_has_all_of_its_rows():
    """The page has the first row; of the two files, the first one is hashed."""
    create("n numeric", "(1), (2)")
    runs = [send(of_table(format=formats, page_rows=1), day) for formats, day in (
        (["html"], "2026-11-24"), (["html", "csv"], "2026-11-25"), (["json", "xlsx"], "2026-11-26"),
    )]  # fmt: skip
    stored = query(
        "select distinct rows, hash, problem from ops.report_values where part = 'table'"
    )
    assert [each[0] for each in stored] == [2]
    assert [changes(run) for run in runs] == [[], [], []]
    create("n numeric", "(1), (3)")
    assert [len(changes(run)) for run in runs] == [1, 1, 1]


@pytest.mark.parametrize(
    ("formats", "scans"),
    [(["csv"], 1), (["json"], 1), (["html"], 1), (["parquet", "xlsx", "html"], 3)],
)
def test_the_sql_of_a_table_is_executed_once_for_each_file(formats, scans):
    """It is hashed while a file is written, or from the rows of its page."""
    create_sales()
    count = "select seq_scan from pg_stat_user_tables where relname = 'sales'"
    connections.dispose()  # counters of a session are complete when it has ended
    (before,) = query(count)
    send(sales_report(tiles=[], charts=[], format=formats))
    assert query("select rows, problem from ops.report_values") == [(2, None)]
    connections.dispose()
    wait_until(lambda: query(count) == [before + scans], timeout=20)
