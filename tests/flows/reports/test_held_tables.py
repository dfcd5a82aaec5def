"""Held parts in files, with `only_if`, `for_each`, `requires` of the report, and in comparisons with later."""

from pathlib import Path
from zipfile import ZipFile, is_zipfile

import pytest

from flows.reports import generate_due_reports, generate_scheduled_reports
from flows.reports.restatement.diff import diff_run
from tests.flows.reports.gated import create_orders, dbt_test, due_again
from tests.flows.reports.parted import FAILED, ORDERS, PASSED, PERIOD, parted, text_of, to
from tests.flows.reports.reports import ANN, OWNER, attachment, report, runs, store_reports
from tests.support.smtp_sink import Received
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


@pytest.fixture(autouse=True)
def orders(report_folder):
    """A table whose dbt test failed."""
    del report_folder
    create_orders()
    dbt_test("failing")


def test_a_report_that_is_sent_on_changes_only_is_sent_again():
    store_reports(parted(only_if="changed"))
    generate_scheduled_reports()
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 1


@pytest.mark.parametrize("name", ["csv", "json", "xlsx", "html"])
def test_a_table_is_held_in_every_format(smtp_sink, name, tmp_path):
    """The file has no rows of it and a note why; `only_if` does not keep the report back."""
    tables = [
        {
            "title": "Orders",
            "sql": f"select 4321 as n from analytics.orders {PERIOD}",
            "requires": PASSED,
        },
        {"title": "Others", "sql": f"select 8765 as m {PERIOD}"},
    ]
    store_reports(report(sql=None, queries=tables, format=name, only_if="changed"))
    generate_scheduled_reports()
    first = attached(to(smtp_sink, ANN)[0], tmp_path)
    assert f"held: {FAILED}" in first
    assert "8765" in first
    assert "4321" not in first
    (run,) = query("select id from ops.report_runs")
    assert [each.title for each in diff_run(run).not_compared] == ["Orders"]
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 1
    second = attached(to(smtp_sink, ANN)[1], tmp_path)
    assert "held: " not in second
    assert "4321" in second


def attached(received: Received, folder: Path) -> str:
    """Return the texts of the attachment, which may be an archive."""
    (folder / "f").write_bytes(attachment(received))
    if not is_zipfile(folder / "f"):
        return (folder / "f").read_text()
    with ZipFile(folder / "f") as archive:
        texts = [archive.read(name).decode() for name in archive.namelist()]
    return "\n".join(texts)


def test_a_held_part_is_not_compared(smtp_sink):
    store_reports(parted(sql=f"select 1 as n {PERIOD}"))
    generate_scheduled_reports()
    (run,) = query("select id from ops.report_runs")
    found = diff_run(run)
    assert [(each.title, each.problem) for each in found.not_compared] == [
        ("Won {x} 100%", "it was held when the report was sent"),
        ("By team", "it was held when the report was sent"),
    ]
    assert [each.title for each in found.comparison.same] == ["Lost", "sales"]
    assert len(to(smtp_sink, ANN)) == 1


def test_a_report_may_be_held_and_then_sent_without_a_part(smtp_sink):
    create_orders("others")
    dbt_test("failing", "unique_others", of="others")
    store_reports(
        parted(
            sql="select n from analytics.others",
            tiles=[ORDERS],
            charts=[],
            requires={"tests": "passed", "latest": "09:00"},
        )
    )
    generate_scheduled_reports()
    assert to(smtp_sink, ANN) == []
    due_again()
    generate_due_reports()
    (sent,) = to(smtp_sink, ANN)
    assert str(sent.mail["Subject"]).startswith("sales (unverified: tests) – ")
    assert f"held: {FAILED}" in text_of(sent)


def test_each_key_of_for_each_holds_and_follows(smtp_sink):
    execute("create table analytics.teams as select unnest(array['a', 'b']) as team")
    execute("grant select on analytics.teams to analytics_reader")
    store_reports(parted(for_each={"sql": "select team from analytics.teams", "key": "team"}))
    generate_scheduled_reports()
    assert (len(to(smtp_sink, ANN)), len(to(smtp_sink, OWNER))) == (2, 1)
    dbt_test("ok")
    generate_due_reports()
    assert sorted(runs()) == [
        ("sales", "", "skipped"),
        *(("sales", key, "ready") for key in ("a", "a", "b", "b")),
    ]
    assert len(to(smtp_sink, ANN)) == 4
