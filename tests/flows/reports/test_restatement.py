"""Numbers that are changed after they were sent: noticed, reported to the owner once, shown by the next report."""

import pytest

from analytics_worker.delivery import deliver_due
from flows.reports import generate_due_reports
from flows.reports.runs.manual import run_now
from tests.flows.reports.reports import ANN, body
from tests.flows.reports.restated import (
    DAY,
    NEXT_DAY,
    OF_PERIOD,
    change,
    check,
    create_sales,
    notices,
    sales_report,
    send,
    set_variable,
    store,
)
from tests.support.sql import execute, query

RAISE = "update analytics.sales set amount = 120 where amount = 100"
LOWER = "update analytics.sales set amount = 100 where amount = 120"


@pytest.fixture(autouse=True)
def _sales(report_folder):
    del report_folder
    create_sales()


def test_a_changed_number_is_reported_with_both_values_and_readers(smtp_sink):
    store(sales_report())
    run = send(sales_report())
    assert check().compared == 0
    change(RAISE)
    assert check().notified == ["sales"]
    (notice,) = notices(smtp_sink)
    assert f"Tuesday, 24 November 2026 (run {run}), sent 2" in notice
    assert f" to {ANN}\n" in notice
    assert "  Won: 140 EUR → 160 EUR\n" in notice
    assert "  By team, a: 100 → 120\n" in notice
    assert "  Sales: other values in the same number of rows\n" in notice
    assert "  changed after 2" in notice
    assert f"\nanalytics-worker reports diff {run}\n" in notice
    assert "not complete" not in notice


def test_nothing_is_compared_while_nothing_changes(smtp_sink):
    store(sales_report())
    send(sales_report())
    change(RAISE)
    assert (check().compared, check().compared, check().compared) == (1, 0, 0)
    assert len(notices(smtp_sink)) == 1
    execute("create table analytics.other (n int)")
    change("insert into analytics.other values (1)")
    assert check().compared == 0


def test_rows_of_other_periods_change_nothing(smtp_sink):
    store(sales_report())
    send(sales_report())
    change("update analytics.sales set amount = 8 where amount = 7")
    assert (check().compared, notices(smtp_sink)) == (1, [])
    held = query("select distinct held from ops.report_values where problem is null")
    assert held == [1]


def test_late_rows_of_a_period_that_was_incomplete(smtp_sink):
    execute(
        "insert into ops.completeness (schema_name, relation_name, complete_through, basis, measured_at)"
        " values ('analytics', 'sales', '2026-11-24 21:00Z', 'declared column', now())"
    )
    store(sales_report())
    send(sales_report())
    change("insert into analytics.sales values ('2026-11-24 22:00Z', 'c', 5)")
    check()
    (notice,) = notices(smtp_sink)
    assert "complete when it was sent: complete through 2026-11-24 21:00 UTC" in notice
    assert "  By team, c: – → 5\n" in notice
    assert "  Sales: 2 rows → 3 rows\n" in notice


def test_each_new_value_is_reported_once_and_so_is_the_end(smtp_sink):
    store(sales_report(charts=[], sql="select 1 as n"))
    send(sales_report(charts=[], sql="select 1 as n"))
    change(RAISE)
    check()
    change("update analytics.sales set amount = amount where amount = 120")
    assert (check().compared, len(notices(smtp_sink))) == (1, 1)
    change("update analytics.sales set amount = 130 where amount = 120")
    check()
    (notice,) = notices(smtp_sink)
    assert "  Won: 140 EUR → 170 EUR\n" in notice
    change("update analytics.sales set amount = 100 where amount = 130")
    check()
    (notice,) = notices(smtp_sink)
    assert notice.startswith("The numbers of this report are as they were sent again.")
    assert "  Won: 140 EUR → 170 EUR: is as it was sent again\n" in notice
    change("update analytics.sales set amount = amount")
    assert (check().compared, notices(smtp_sink)) == (1, [])


def test_several_periods_are_one_message(smtp_sink):
    store(sales_report())
    runs = [send(sales_report(), label) for label in (DAY, NEXT_DAY)]
    change("update analytics.sales set amount = amount * 2")
    check()
    (notice,) = notices(smtp_sink)
    assert [f"(run {run})" in notice for run in runs] == [True, True]
    assert "  Won: 7 EUR → 14 EUR\n" in notice


def test_the_message_waits_until_all_periods_are_compared(smtp_sink, monkeypatch):
    store(sales_report())
    for label in (DAY, NEXT_DAY):
        send(sales_report(), label)
    change("update analytics.sales set amount = amount * 2")
    set_variable(monkeypatch, "REPORT_RESTATEMENT_SECONDS", "1e-9")
    assert (check().left, notices(smtp_sink)) == (2, [])
    set_variable(monkeypatch, "REPORT_RESTATEMENT_SECONDS", "20")
    assert (check().compared, len(notices(smtp_sink))) == (2, 1)


def test_the_next_report_shows_it_once(smtp_sink, http_sink, monkeypatch):
    set_variable(monkeypatch, "ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    shown = sales_report(format="html", recipients={"to": [ANN], "channels": ["webhook"]})
    store(shown)
    send(shown)
    change(RAISE)
    check()
    send(shown, NEXT_DAY)
    send(shown, "2026-11-26")
    first, second, third = [each for each in smtp_sink.messages if each.recipients == [ANN]]
    for kind in ("plain", "html"):
        texts = [body(each, kind) for each in (first, second, third)]
        assert ["Restated since it was sent" in text for text in texts] == [False, True, False]
        assert "Tuesday, 24 November 2026" in texts[1]
        assert "Won: 140 EUR → 160 EUR" in texts[1]
    reports = [each.json for each in http_sink.requests if each.json["event"] == "report"]
    assert ["restated" in each for each in reports] == [False, True, False]
    assert reports[1]["restated"][0]["changes"][0] == "Won: 140 EUR → 160 EUR"


def test_what_is_as_it_was_sent_again_is_not_shown(smtp_sink):
    store(sales_report())
    send(sales_report())
    for statement in (RAISE, LOWER):
        change(statement)
        check()
    smtp_sink.messages.clear()
    send(sales_report(), NEXT_DAY)
    assert "Restated" not in body(smtp_sink.messages[0])


def test_it_can_be_switched_off(smtp_sink, monkeypatch):
    off = sales_report(restatement=False)
    store(off)
    send(off)
    assert query("select count(*) from ops.report_values") == [0]
    set_variable(monkeypatch, "REPORT_RESTATEMENT_DAYS", "off")
    store(sales_report())
    send(sales_report(), NEXT_DAY)
    assert query("select count(*) from ops.report_comparisons") == [0]
    change(RAISE)
    assert (check().compared, notices(smtp_sink)) == (0, [])


def test_a_report_that_is_switched_off_later_is_not_compared(smtp_sink):
    store(sales_report())
    send(sales_report())
    store(sales_report(restatement=False))
    change(RAISE)
    assert (check().compared, notices(smtp_sink)) == (0, [])


@pytest.mark.usefixtures("prefect_api")
def test_the_flow_of_due_reports_compares(smtp_sink):
    store(sales_report())
    send(sales_report())
    change(RAISE)
    execute("update ops.report_comparisons set compared_at = compared_at - interval '1 day'")
    assert generate_due_reports()["status"] == "success"
    assert len(notices(smtp_sink)) == 1


def test_preliminary_and_unsent_reports_are_not_compared():
    store(sales_report(), sales_report("unsent", recipients=[]))
    run_now(sales_report(), None, so_far=True)
    send(sales_report("unsent", recipients=[]))
    deliver_due("reports")
    assert query("select count(*) from ops.report_comparisons") == [1]
    change(RAISE)
    assert check().compared == 0


def test_numbers_that_change_again_and_again_are_not_reported(smtp_sink):
    """A month so far names the period, and is another one after each sale."""
    so_far = {"title": "Month", "sql": f"select sum(amount) {OF_PERIOD.split(' and ')[0]}"}
    store(sales_report(tiles=[so_far], charts=[], sql="select 1 as n"))
    send(sales_report(tiles=[so_far], charts=[], sql="select 1 as n"))
    found: list[int] = []
    for number in range(4):
        change(f"insert into analytics.sales values ('2026-11-27 10:00Z', 'a', {number + 1})")
        check()
        found.append(len(notices(smtp_sink)))
    assert found == [1, 1, 0, 0]
    send(sales_report(tiles=[so_far], charts=[], sql="select 1 as n"), NEXT_DAY)
    change("insert into analytics.sales values ('2026-11-28 10:00Z', 'a', 9)")
    assert (check().compared, notices(smtp_sink)) == (2, [])


def test_what_is_stored_is_deleted_with_the_run():
    store(sales_report())
    run = send(sales_report())
    execute("delete from ops.report_runs where id = :id", id=run)
    left = "select run_id from ops.report_values union select run_id from ops.report_comparisons"
    assert query(left) == []


def test_a_new_definition_of_a_view_is_a_change(smtp_sink):
    execute(
        "create view analytics.won as select at, amount from analytics.sales;"
        "grant select on analytics.won to analytics_reader"
    )
    of_view = OF_PERIOD.replace("sales", "won")
    tiles = [{"title": "Won", "sql": f"select sum(amount) {of_view}"}]
    store(sales_report(sql="select 1 as n", tiles=tiles, charts=[]))
    send(sales_report(sql="select 1 as n", tiles=tiles, charts=[]))
    assert check().compared == 0
    change(
        "create or replace view analytics.won as select at, amount * 2 as amount from analytics.sales"
    )
    check()
    assert "  Won: 140 → 280\n" in notices(smtp_sink)[0]
