"""Reports are held while what they require does not hold, and are sent once, late or unverified."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, event
from typer.testing import CliRunner

from analytics_worker.cli.reports import reports
from analytics_worker.database.connections import warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.monitoring.incidents.update import update_incidents
from flows.reports import generate_due_reports, generate_scheduled_reports
from flows.reports.runs.manual import run_now
from tests.flows.reports.gated import create_orders, dbt_test, due_again, gated
from tests.flows.reports.reports import ANN, OWNER, body, report, runs, store_reports
from tests.support.smtp_sink import Received, SmtpSink
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")

FAILED = "1 dbt test failed (unique_orders)"
BREAK = "update ops.dbt_node_health set status = 'failing'"


@pytest.fixture(autouse=True)
def orders(report_folder):
    """A table whose dbt test failed."""
    del report_folder
    create_orders()
    dbt_test("failing")


def to(smtp_sink: SmtpSink, address: str) -> list[Received]:
    return [each for each in smtp_sink.messages if each.recipients == [address]]


def subjects(received: Sequence[Received]) -> list[str]:
    return [str(each.mail["Subject"]) for each in received]


def test_held_until_its_requirements_are_met_and_sent_once(smtp_sink):
    store_reports(gated())
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Completed"
    result = state.result()
    assert result["summary"] == {"made": 0, "skipped": 0, "waiting": 0, "held": 1, "failed": 0}
    assert FAILED in state.message
    (notice,) = smtp_sink.messages
    assert notice.recipients == [OWNER]
    assert str(notice.mail["Subject"]).startswith("Report held: sales (2")
    assert f"Because: {FAILED}" in body(notice)

    again = generate_due_reports()
    assert (again["summary"]["held"], list(again["held"].values())) == (1, [FAILED])
    assert query("select status, attempts from ops.report_runs") == [("held", 0)]
    dbt_test("warning")
    assert generate_due_reports()["summary"] == {
        "made": 1, "skipped": 0, "waiting": 0, "held": 0, "failed": 0,
    }  # fmt: skip
    (sent,) = to(smtp_sink, ANN)
    assert "unverified" not in str(sent.mail["Subject"])
    for kind in ("plain", "html"):
        text = " ".join(body(sent, kind).split())
        assert "Late: it was held from" in text
        assert f"because {FAILED}." in text
    assert generate_due_reports()["summary"]["made"] == 0
    assert len(smtp_sink.messages) == 2


def test_sent_unverified_at_the_latest(smtp_sink):
    store_reports(gated(requires={"tests": "passed", "complete": True, "latest": "09:00"}))
    generate_scheduled_reports()
    assert to(smtp_sink, ANN) == []
    due_again()
    assert generate_due_reports()["summary"]["made"] == 1
    (sent,) = to(smtp_sink, ANN)
    assert str(sent.mail["Subject"]).startswith("sales (unverified: tests, completeness) – ")
    text = " ".join(body(sent).split())
    assert f"Unverified: {FAILED} and it is not known" in text
    assert "complete. It was held from 2" in text
    assert query("select unverified from ops.report_runs") == [["tests", "completeness"]]
    assert generate_due_reports()["summary"]["made"] == 0


def test_without_latest_it_is_not_sent_when_it_is_due_again(smtp_sink):
    store_reports(gated())
    generate_scheduled_reports()
    due_again()
    state = generate_due_reports(return_state=True)
    assert state.name == "Failed"
    held, failed = to(smtp_sink, OWNER)
    assert subjects([failed])[0].startswith("Report failed: sales (")
    assert "not sent: it was held until its report was due again" in body(failed)
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 0
    assert smtp_sink.messages == [held, failed]


def test_one_held_among_ten(smtp_sink):
    others = [f"r{n}" for n in range(8)]
    store_reports(
        gated(),
        gated("loose", requires={"no_incident": "critical"}),
        gated("broken", sql="select nope"),
        *(report(name) for name in others),
    )
    state = generate_scheduled_reports(return_state=True)
    assert state.name == "Partial"
    statuses = {name: status for name, _, status in runs()}
    assert statuses == {"sales": "held", "loose": "ready", "broken": "failed"} | dict.fromkeys(
        others, "ready"
    )
    assert len(to(smtp_sink, ANN)) == 9


def test_each_key_of_for_each_passes_the_gate(smtp_sink, monkeypatch):
    monkeypatch.setenv("REPORT_CONCURRENCY", "1")  # one key after the other
    settings.cache_clear()
    execute("create table analytics.teams as select unnest(array['a', 'b']) as team")
    execute("grant select on analytics.teams to analytics_reader")
    each = {"sql": "select team from analytics.teams", "key": "team"}
    store_reports(gated(for_each=each))
    generate_scheduled_reports()
    assert runs() == [("sales", "", "held")]
    dbt_test("ok")
    execute(
        "create function ops.break() returns trigger language plpgsql as"
        f" $$ begin {BREAK}; return new; end $$;"
        " create trigger broken after update on ops.report_runs for each row"
        " when (new.key = 'a' and new.status = 'ready') execute function ops.break()"
    )  # the test fails again after the first key
    generate_due_reports()
    assert sorted(runs()) == [
        ("sales", "", "skipped"),
        ("sales", "a", "ready"),
        ("sales", "b", "held"),
    ]
    dbt_test("ok")
    execute("drop trigger broken on ops.report_runs")
    generate_due_reports()
    assert {status for _, key, status in runs() if key} == {"ready"}
    assert len(to(smtp_sink, OWNER)) == 1
    assert all("Late: it was held" in body(sent) for sent in to(smtp_sink, ANN))
    assert len(to(smtp_sink, ANN)) == 2


def test_a_person_and_a_preliminary_report_are_not_held(smtp_sink):
    store_reports(gated())
    generate_scheduled_reports()
    (result,) = run_now(gated(), None)
    (preliminary,) = run_now(gated(), None, so_far=True)
    deliver_due("reports")
    assert (result["status"], preliminary["status"]) == ("ready", "ready")
    first, second = subjects(to(smtp_sink, ANN))
    assert first.startswith("sales (unverified: tests) – ")
    assert second.startswith("sales (preliminary) – ")


def test_a_changed_or_removed_definition_counts_for_held_runs(smtp_sink):
    store_reports(gated("changed"), gated("removed"))
    generate_scheduled_reports()
    store_reports(report("changed", "select n from analytics.orders"))
    assert generate_due_reports()["summary"]["made"] == 1
    assert runs() == [("changed", "", "ready"), ("removed", "", "skipped")]
    assert len(to(smtp_sink, ANN)) == 1


def test_a_report_that_failed_is_not_held_by_its_own_incident():
    dbt_test("ok")
    store_reports(gated(sql="select nope", requires={"no_incident": "warning"}))
    generate_scheduled_reports(return_state=True)
    with warehouse() as connection:
        update_incidents(connection, datetime.now(UTC))
    assert query("select cause_kind from ops.incidents") == ["report"]
    store_reports(gated(requires={"no_incident": "warning"}))
    assert generate_scheduled_reports()["summary"]["made"] == 1


def test_an_odd_held_run_holds_no_other(smtp_sink):
    store_reports(gated("odd"), gated("fine"))
    generate_scheduled_reports()
    for table, name in (("report_runs", "report"), ("report_definitions", "name")):
        execute(f"update ops.{table} set definition = '{{}}' where {name} = 'odd'")
    dbt_test("ok")
    state = generate_due_reports(return_state=True)
    assert state.name == "Partial"
    assert runs() == [("fine", "", "ready"), ("odd", "", "held")]
    assert len(to(smtp_sink, ANN)) == 1


def test_the_command_lists_what_is_held():
    assert CliRunner().invoke(reports, ["held"]).output == "no report is held\n"
    store_reports(gated(requires={"tests": "passed", "latest": "09:00"}), gated("other"))
    generate_scheduled_reports()
    execute("update ops.report_runs set definition = '{}' where report = 'other'")
    other, _, sales, reason = CliRunner().invoke(reports, ["held"]).output.splitlines()
    assert reason == f"  {FAILED}"
    assert " UTC, sent unverified at 2" in sales
    assert " held since 2" in other
    found = json.loads(CliRunner().invoke(reports, ["held", "--json"]).output)
    assert [(each["report"], each["because"]) for each in found] == [
        ("other", [FAILED]),
        ("sales", [FAILED]),
    ]


def test_what_is_known_of_the_data_is_read_once_for_the_gate_and_the_page(smtp_sink):
    dbt_test("ok")
    statements: list[str] = []

    def note(*arguments: Any) -> None:
        statements.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        run_now(gated(format="html"), None)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    deliver_due("reports")
    assert "1 test passed" in body(smtp_sink.messages[-1], "html")
    assert sum("from ops.incidents as i" in each for each in statements) == 1
