"""What people do to incidents on the command line, and what is notified after it."""

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.exporter.collectors.incidents import INCIDENTS
from analytics_worker.exporter.collectors.incidents import Incidents as Collector
from tests.flows.alerts.rules import rule, store
from tests.flows.monitoring.incidents import Incidents, Warehouse
from tests.flows.reports.reports import report, store_reports

HOUR = timedelta(hours=1)


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["incidents", *arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def one(units: Warehouse, incidents: Incidents) -> str:
    """Open one incident; return the first characters of its id."""
    units.node("a", owner="Ann [red]<ann@example.com>\x1b[31m")
    units.model_reads("b", "a")
    incidents.told()
    ((id_,),) = incidents.sql("select id from ops.incidents")
    return str(id_)[:8]


def test_incidents_are_listed_and_shown(units: Warehouse, one: str):
    listed = run("list").splitlines()
    assert listed[0].split() == ["id", "severity", "since", "(UTC)", "cause", "units"]
    assert [each.rstrip().split()[0] for each in listed[1:]] == [one]
    assert max(map(len, listed)) <= 80
    shown = run("show", one)
    assert "Cause: relation analytics.a" in shown
    assert "  failing  relation analytics.a: it broke" in shown
    assert "Affected\n  relation analytics.b" in shown
    assert "\x1b" not in shown
    assert json.loads(run("list", "--json"))[0]["cause_name"] == "analytics.a"
    assert json.loads(run("show", one, "--json"))["events"][0]["kind"] == "opened"
    units.node("a", "ok")


def test_recipients_of_affected_rules_and_reports_are_shown(units: Warehouse, one: str):
    email = [{"name": "email", "to": ["ann@example.com"]}]
    store(rule("few", channels=email), rule("apart", channels=["slack"]))
    store_reports(report("weekly", recipients=["bob@example.com"]))
    units.reads("rule", "few", "analytics.b")
    units.reads("report", "weekly", "analytics.b")
    units.node("c")
    units.model_reads("c", "a")
    Incidents(units.sql).update()
    shown = run("show", one)
    assert "Recipients of its rules and reports\n  ann@example.com\n  bob@example.com\n\n" in shown
    assert json.loads(run("show", one, "--json"))["recipients"] == [
        "ann@example.com",
        "bob@example.com",
    ]


def test_a_resolved_incident_is_listed_on_request(units: Warehouse, incidents: Incidents, one: str):
    units.node("a", "ok")
    incidents.told()
    assert run("list") == "no incident is open\n"
    assert one in run("list", "--resolved", "7d")
    assert "is resolved" in run("ack", one, code=1)
    run("comment", one, "The disk was full.", "--by", "ann")
    assert "commented  ann  The disk was full." in run("show", one)


def test_an_acknowledged_incident_notifies_only_of_more_severity_and_its_end(
    units: Warehouse, incidents: Incidents
):
    units.node("a", "warning")
    incidents.told()
    ((id_,),) = incidents.sql("select id::text from ops.incidents")
    run("ack", id_, "--by", "ann")
    units.node("b", "warning")
    units.model_reads("b", "a")
    assert incidents.told(HOUR) == []
    units.node("a")
    assert incidents.told() == ["severity_changed [now critical] dbt model a"]
    units.node("a", "ok")
    units.node("b", "ok")
    assert incidents.told() == ["resolved [resolved] dbt model a"]


def test_a_snoozed_incident_is_notified_again_when_the_time_is_over(
    units: Warehouse, incidents: Incidents, one: str
):
    run("snooze", one, "2h")
    units.node("b")
    assert incidents.told(HOUR) == []
    assert incidents.told(HOUR + HOUR) == ["still_open [still critical] dbt model a"]
    assert incidents.told(HOUR) == []


def test_the_assignee_is_notified_and_so_is_the_owner_of_the_end(
    units: Warehouse, incidents: Incidents, one: str, variables, sql
):
    variables(alert_email_host="127.0.0.1", alert_email_from="w@example.com")
    run("assign", one, "bob@example.com")
    assert "is not a valid assignee" in run("assign", one, "nobody", code=1)
    units.node("a", "ok")
    incidents.update()
    assert sql(
        "select m.kind, d.recipient from ops.messages as m join ops.deliveries as d"
        " on d.message_id = m.id order by m.position"
    ) == [
        ("incident_opened", "webhook"),
        ("incident_opened", "bob@example.com"),
        ("incident_resolved", "webhook"),
        ("incident_resolved", "bob@example.com"),
    ]


def test_an_id_that_no_or_several_incidents_have(units: Warehouse, incidents: Incidents, one: str):
    assert "no incident 'ffff' found" in run("show", "ffff", code=1) or one.startswith("ffff")
    assert "no incident '%' found" in run("show", "%", code=1)
    for number in range(17):
        units.rule(f"r{number}")
    incidents.update()
    assert "add more characters" in "".join(
        CliRunner().invoke(app, ["incidents", "show", each]).output for each in "0123456789abcdef"
    )


def test_open_incidents_are_a_metric(one: str):
    ((family, samples),) = Collector().collect()
    assert family is INCIDENTS
    assert samples == {("critical",): 1.0, ("warning",): 0.0}
    del one
