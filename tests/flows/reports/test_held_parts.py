"""A part is held while its requirements are not met; the rest of its report is sent in time."""

import json

import pytest
from typer.testing import CliRunner

from analytics_worker.cli.reports import reports
from flows.reports import generate_due_reports, generate_scheduled_reports
from flows.reports.runs.manual import run_now
from tests.flows.reports.gated import create_orders, dbt_test
from tests.flows.reports.parted import FAILED, ORDERS, PERIOD, parted, text_of, to
from tests.flows.reports.reports import ANN, OWNER, runs, store_reports
from tests.flows.reports.restated import set_variable
from tests.support.sql import execute, query

pytestmark = pytest.mark.usefixtures("prefect_api", "report_folder")


@pytest.fixture(autouse=True)
def orders(report_folder):
    """A table whose dbt test failed."""
    del report_folder
    create_orders()
    dbt_test("failing")


def test_the_rest_is_sent_and_the_owner_is_notified(smtp_sink):
    store_reports(parted())
    result = generate_scheduled_reports()
    assert (result["status"], result["summary"]["made"]) == ("success", 1)
    (first,) = to(smtp_sink, ANN)
    for kind in ("plain", "html"):
        text = text_of(first, kind)
        assert f"Held: Won {{x}} 100% ({FAILED}) and By team ({FAILED})." in text
        assert "The report is sent again with what is held when that is over, until 2" in text
        assert f"held: {FAILED}" in text
        assert "77" in text
        assert "4,321" not in text
    (notice,) = to(smtp_sink, OWNER)
    assert str(notice.mail["Subject"]).startswith("Parts of a report held: sales (2")
    assert f"Held: Won {{x}} 100%: {FAILED}; By team: {FAILED}" in text_of(notice)


def test_the_part_follows_once(smtp_sink, http_sink, monkeypatch):
    set_variable(monkeypatch, "ALERT_WEBHOOK_URL", f"{http_sink.url}/hook")
    store_reports(parted(recipients={"to": [ANN], "channels": ["webhook"]}))
    generate_scheduled_reports()
    command = CliRunner().invoke(reports, ["held"]).output.splitlines()
    assert command[0].startswith("run 1  sales 2")
    assert ", not sent again at 2" in command[0]
    assert command[1:] == [f"  Won {{x}} 100%: {FAILED}", f"  By team: {FAILED}"]
    again = generate_due_reports()
    assert (again["summary"]["made"], again["summary"]["held"]) == (0, 1)
    assert FAILED in next(iter(again["held"].values()))
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 1
    first, second = to(smtp_sink, ANN)
    assert str(second.mail["Subject"]).startswith("sales (with what was held) – ")
    assert second.mail["Message-ID"] != first.mail["Message-ID"]
    assert "Won {x} 100%: 4,321" in text_of(second)
    assert "Sent again, with what was held from 2" in text_of(second)
    assert f": Won {{x}} 100%, By team. It was held because {FAILED}." in text_of(second)
    assert generate_due_reports()["summary"] == {
        "made": 0, "skipped": 0, "waiting": 0, "held": 0, "failed": 0,
    }  # fmt: skip
    assert len(smtp_sink.messages) == 3
    sent = [each.json for each in http_sink.requests if each.json["event"] == "report"]
    assert [each.get("held") for each in sent] == [["Won {x} 100%", "By team"], None]
    assert [each.get("follow_up") for each in sent] == [None, True]
    assert [each["tiles"][0]["value"] for each in sent] == [None, 4321]
    assert query("select kind, status from ops.report_runs order by id") == [
        ("scheduled", "ready"),
        ("follow_up", "ready"),
    ]


def test_only_the_part_that_reads_what_failed_is_held(smtp_sink):
    create_orders("others")
    dbt_test("ok", "unique_others", of="others")
    other = {**ORDERS, "title": "Others", "sql": f"select 8765 from analytics.others {PERIOD}"}
    store_reports(parted(tiles=[other, ORDERS], charts=[]))
    generate_scheduled_reports()
    text = text_of(to(smtp_sink, ANN)[0])
    assert "Others: 8,765" in text
    assert f"Won {{x}} 100%: – held: {FAILED}" in text


def test_it_does_not_follow_when_the_report_is_due_again(smtp_sink):
    store_reports(parted())
    generate_scheduled_reports()
    execute("update ops.report_runs set parts_held_until = now()")
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 0
    assert query("select parts_held_until from ops.report_runs") == [None]
    assert len(to(smtp_sink, ANN)) == 1


def test_a_follow_up_is_requested_once_also_if_it_was_killed_in_between(smtp_sink):
    store_reports(parted())
    generate_scheduled_reports()
    held = "update ops.report_runs set parts_held_until = now() + interval '1 h' where kind = 'scheduled'"
    dbt_test("ok")
    generate_due_reports()
    execute(held)  # as if it had been killed before
    generate_due_reports()
    assert query("select kind from ops.report_runs order by id") == ["scheduled", "follow_up"]
    execute("update ops.report_runs set status = 'pending' where kind = 'follow_up'")
    assert generate_due_reports()["summary"]["made"] == 1, "a daily one, too, within five minutes"
    assert len(to(smtp_sink, ANN)) == 2


def test_a_part_that_fails_again_is_held_in_the_follow_up(smtp_sink):
    """Between the plan and the follow-up, the test of one of them fails again: there is no number, and no third report."""
    store_reports(parted())
    generate_scheduled_reports()
    execute(
        "create function ops.break() returns trigger language plpgsql as $$ begin"
        " update ops.dbt_node_health set status = 'failing'; return new; end $$;"
        " create trigger broken after insert on ops.report_runs for each row execute function ops.break()"
    )
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 1
    assert "4,321" not in text_of(to(smtp_sink, ANN)[1])
    dbt_test("ok")
    assert generate_due_reports()["summary"]["made"] == 0


def test_a_person_and_a_preliminary_report_get_all_parts(smtp_sink):
    store_reports(parted())
    run_now(parted(), None)
    run_now(parted(), None, so_far=True)
    generate_due_reports()
    first, second = map(text_of, to(smtp_sink, ANN))
    assert f"Unverified: Won {{x}} 100% ({FAILED}) and By team ({FAILED})." in first
    assert "4,321" in first
    assert "4,321" in second
    assert "Unverified" not in second


def test_a_part_with_an_error_fails_the_report_and_holds_no_other(smtp_sink):
    odd = {**ORDERS, "sql": "select nope from analytics.orders"}
    store_reports(parted("odd", tiles=[odd]), parted("fine"))
    generate_scheduled_reports(return_state=True)
    assert sorted(runs()) == [("fine", "", "ready"), ("odd", "", "failed")]
    assert len(to(smtp_sink, ANN)) == 1


def test_an_odd_run_with_held_parts_holds_no_other(smtp_sink):
    store_reports(parted("odd"), parted("odder"), parted("fine"), parted("removed"))
    generate_scheduled_reports()
    execute("update ops.report_runs set definition = '{}' where report = 'odd'")
    execute(
        "update ops.report_runs set held_parts = :parts where report = 'odder'",
        parts=json.dumps([{"part": 1}]),
    )
    execute("update ops.report_definitions set retired_at = now() where name = 'removed'")
    dbt_test("ok")
    state = generate_due_reports(return_state=True)
    assert state.name == "Partial"
    assert query("select report from ops.report_runs where kind = 'follow_up'") == ["fine"]
    assert len(to(smtp_sink, ANN)) == 5
