"""``analytics-worker reports diff RUN``: what a run sent, to whom, and what its SQL returns now."""

import json

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.reports import reports
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import ANN, report
from tests.flows.reports.restated import (
    DEALS,
    OF_PERIOD,
    WON,
    change,
    create_sales,
    sales_report,
    send,
)
from tests.support.sql import execute, query

HOSTILE = 'raw."Выручка {x} 100%"'


@pytest.fixture(autouse=True)
def _sales(report_folder):
    del report_folder
    create_sales()


def diff(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(reports, ["diff", *map(str, arguments)])
    return result.exit_code, result.output if result.exception is None else (
        result.output or str(result.exception)
    )


def test_a_run_whose_data_is_the_same():
    run = send(sales_report())
    code, output = diff(run)
    assert code == 0, output
    lines = output.splitlines()
    assert lines[0] == f"run {run}  Sales – Tuesday, 24 November 2026"
    assert lines[1].startswith("sent 2")
    assert lines[1].endswith(f" UTC to {ANN}")
    assert lines[2:] == ["as sent       Won", "as sent       By team", "as sent       Sales"]


def test_both_values_of_each_difference():
    run = send(sales_report())
    change(
        "update analytics.sales set amount = 120.5 where amount = 100",
        "insert into analytics.sales values ('2026-11-24 23:59:59Z', 'c', 1)",
        "delete from analytics.sales where team = 'b'",
        "insert into analytics.sales values ('2026-11-24 00:00Z', 'd', 2)",
    )
    code, output = diff(run)
    assert code == 0
    assert output.splitlines()[2:] == [
        "changed       Won: 140 EUR → 124 EUR",
        "changed       By team, a: 100 → 120.5",
        "changed       By team, b: 40 → –",
        "changed       By team, c: – → 1",
        "changed       By team, d: – → 2",
        "changed       Sales: 2 rows → 3 rows",
    ]


def test_a_difference_below_the_decimals_is_shown_with_all_digits():
    run = send(sales_report(charts=[], sql="select 1 as n"))
    change("update analytics.sales set amount = 100.25 where amount = 100")
    assert "changed       Won: 140 EUR → 140.25 EUR" in diff(run)[1].splitlines()


def test_json_has_the_numbers_as_texts():
    run = send(sales_report(tiles=[{**WON, "sql": WON["sql"].replace("amount", "amount + 9e15")}]))
    change("update analytics.sales set amount = 101 where amount = 100")
    code, output = diff(run, "--json")
    document = json.loads(output)
    assert code == 0
    assert document["changes"][0] == {
        "part": "tile", "title": "Won", "label": "", "unit": "EUR",
        "before": "18000000000000140", "after": "18000000000000141",
    }  # fmt: skip
    assert [each["recipient"] for each in document["recipients"]] == [ANN]
    assert (document["report"], document["period"], document["was_incomplete"]) == (
        "sales",
        "2026-11-24",
        False,
    )


def test_a_dropped_column_is_an_error_and_no_difference():
    run = send(sales_report())
    execute("alter table analytics.sales rename column team to squad")
    code, output = diff(run)
    assert code == 1
    assert "as sent       Won" in output
    assert 'error         By team: column "team" does not exist' in output
    assert 'error         Sales: column "team" does not exist' in output
    assert "changed" not in output
    _, text = diff(run, "--json")
    assert [each["title"] for each in json.loads(text)["errors"]] == ["By team", "Sales"]


def test_other_columns_of_a_table_are_an_error():
    everything = DEALS.replace("team, amount", "*")
    run = send(sales_report(sql=everything))
    execute("alter table analytics.sales add column note text")
    code, output = diff(run)
    assert code == 1
    assert "its columns are at, team, amount, note; sent were at, team, amount" in output


def test_what_is_not_compared_has_the_reason():
    execute(
        "create view analytics.recent as select amount from analytics.sales where at < now();"
        "create function analytics.luck() returns numeric language plpgsql as 'begin return 1; end';"
        "grant select on analytics.recent to analytics_reader"
    )
    tiles = [
        {"title": title, "sql": sql}
        for title, sql in {
            "open": "select sum(amount) from analytics.sales",
            "now": f"select sum(amount) {OF_PERIOD} and at < now()",
            "today": f"select sum(amount) {OF_PERIOD} and at < 'today'",
            "date": f"select sum(amount) {OF_PERIOD} and at < current_date",
            "view": "select sum(amount) from analytics.recent where :period_start < :period_end",
            "random": f"select sum(amount) * random() {OF_PERIOD}",
            "luck": f"select sum(amount * analytics.luck()) {OF_PERIOD}",
            "several": f"select amount {OF_PERIOD}",
            "quoted": f"select sum(amount) {OF_PERIOD} and team <> 'it''s now() or current_date'",
        }.items()
    ]
    run = send(sales_report(tiles=tiles, charts=[], max_rows=1))
    assert diff(run)[1].splitlines()[2:] == [
        "as sent       quoted",
        "not compared  open: its SQL names neither :period_start nor :period_end",
        "not compared  now: it depends on the time of its execution (now)",
        "not compared  today: it depends on the time of its execution (today)",
        "not compared  date: it depends on the time of its execution (current_date)",
        "not compared  view: it depends on the time of its execution (now)",
        "not compared  random: it calls random, which is volatile",
        "not compared  luck: it calls luck, which is volatile",
        "not compared  several: its SQL returns several rows",
        "not compared  Sales: it has max_rows, and which rows it then has is not fixed",
    ]


def test_hostile_names_are_shown_in_one_line():
    execute(
        f'create table {HOSTILE} ("дата {{x}}" timestamptz, "%(a)s" text, "сумма" numeric);'
        f"grant select on {HOSTILE} to analytics_reader;"
        f"""insert into {HOSTILE} values ('2026-11-24 10:00Z', e'<b>\\n\\x1b[31m{{0}}%s', 5)"""
    )
    where = f'from {HOSTILE} where "дата {{x}}" >= :period_start'
    run = send(
        report(
            'Выручка {x} 100% "q"',
            f"select * {where}",
            tiles=[{"title": "<b>{0} %s", "sql": f'select sum("сумма") {where}'}],
            charts=[{"title": "c", "sql": f'select "%(a)s", "сумма" {where}'}],
        ),
        "2026-11-24",
    )
    execute(f'update {HOSTILE} set "сумма" = 6')
    code, output = diff(run)
    assert code == 0, output
    assert output.splitlines()[2:] == [
        "changed       <b>{0} %s: 5 → 6",
        "changed       c, <b>⏎\ufffd[31m{0}%s: 5 → 6",
        'changed       Выручка {x} 100% "q": other values in the same number of rows',
    ]


def test_runs_that_can_not_be_compared_are_refused():
    run = send(sales_report())
    assert (
        f"There is no run 999. The latest runs that can be compared:\n{run} sales" in diff(999)[1]
    )
    (made,) = run_now(sales_report(), None, so_far=True)
    assert "is preliminary; its numbers are not compared" in diff(made["run"])[1]
    execute("delete from ops.report_comparisons")
    code, output = diff(run)
    assert code == 1
    assert f"What run {run} sent is not stored" in output


def test_a_comparison_writes_nothing():
    run = send(sales_report())
    change("update analytics.sales set amount = 1")
    rows = "select v.*, c.* from ops.report_values v join ops.report_comparisons c using (run_id)"
    before = query(rows)
    diff(run)
    assert query(rows) == before
