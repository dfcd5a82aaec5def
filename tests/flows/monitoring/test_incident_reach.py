"""Messages about incidents name who receives the affected reports and rules, to those who may see addresses."""

import json
from typing import Any

import pytest

from flows.monitoring.incidents.commands import assign
from tests.flows.alerts.rules import rule, store
from tests.flows.monitoring.incidents import Incidents, Warehouse
from tests.flows.reports.reports import report, store_reports
from tests.support.attacks import attack

TO = ["ann@example.com", "bob@example.com", "eve@example.com"]


@pytest.fixture
def incidents(sql, variables) -> Incidents:
    variables(
        alert_email_host="127.0.0.1",
        alert_email_from="w@example.com",
        alert_webhook_url="http://127.0.0.1:1/",
    )
    return Incidents(sql)


def contents(incidents: Incidents) -> dict[str, dict[str, Any]]:
    """Return the content for each recipient."""
    rows = incidents.sql(
        "select d.recipient, m.content from ops.messages as m join ops.deliveries as d"
        " on d.message_id = m.id order by m.position"
    )
    return dict(rows)


def daily(units: Warehouse, **fields: Any) -> None:
    store_reports(report("daily", "select 1 as n", **{"recipients": TO, **fields}))
    units.reads("report", "daily", "analytics.a")


def test_the_owner_gets_addresses(units: Warehouse, incidents: Incidents):
    daily(units)
    store(rule("few", channels=[{"name": "email", "to": ["dan@example.com"]}, "slack"]))
    units.reads("rule", "few", "analytics.a")
    units.node("a", owner="Olga <olga@example.com>")
    assert incidents.told() == ["opened [critical] dbt model a"]
    content = contents(incidents)["olga@example.com"]
    assert (
        "\n\nReaches:\n"
        "- report daily -> 3 recipients: ann@example.com, bob@example.com, +1\n"
        "- rule few -> 2 recipients: dan@example.com, slack\n\n"
    ) in content["text"]
    facts = {fact["label"]: fact["value"] for fact in content["facts"]}
    assert facts["Reaches"].startswith("report daily -> 3 recipients: ann@example.com, ")
    assert content["json"]["reaches"][0] == {
        "kind": "report",
        "name": "daily",
        "recipients": 3,
        "addresses": TO,
    }


@pytest.mark.parametrize("channels", ["", "webhook"])
def test_others_get_numbers_unless_the_settings_name_their_channel(
    units: Warehouse, incidents: Incidents, variables, channels: str
):
    variables(incident_address_channels=channels)
    daily(units)
    units.node("a")
    incidents.told()
    content = contents(incidents)["webhook"]
    assert ("ann@example.com" in json.dumps(content)) is bool(channels)
    assert content["json"]["reaches"][0]["recipients"] == len(TO)
    assert "- report daily -> 3 recipients" in content["text"]


def test_an_address_without_a_mail_server_is_reached_by_channels_that_get_numbers(
    units: Warehouse, incidents: Incidents, variables
):
    variables(alert_email_host="", alert_email_from="")
    daily(units)
    units.node("a", owner="olga@example.com")
    incidents.told()
    (content,) = contents(incidents).values()
    assert "ann@example.com" not in json.dumps(content)


def test_hidden_recipients_and_those_of_rows_are_not_named(units: Warehouse, incidents: Incidents):
    each = {"sql": "select 1 as region, 'x@example.com' as mail", "key": "region", "to": "mail"}
    recipients = {"to": TO[:1], "bcc": ["secret@example.com"]}
    daily(units, recipients=recipients, for_each=each)
    units.node("a", owner="olga@example.com")
    incidents.told()
    content = contents(incidents)["olga@example.com"]
    line = "- report daily -> 2 recipients and those of its rows: ann@example.com, +1\n"
    assert line in content["text"]
    assert "secret@example.com" not in json.dumps(content)


def test_promises_are_named_with_their_time(units: Warehouse, incidents: Incidents, sql):
    for name, state in (("report daily", "at risk"), ("report weekly", "waiting")):
        sql(
            "insert into ops.promises (name, kind, report, definition, timezone, since, state)"
            " values (%s, 'report', %s, '{\"by\": \"07:30:00\"}', 'Europe/Berlin', now(), %s)",
            (name, name.split()[1], state),
        )
        units.reads("report", name.split()[1], "analytics.a")
    units.node("a")
    incidents.told()
    content = contents(incidents)["webhook"]
    assert "- promise of report daily by 07:30 Europe/Berlin, at risk\n" in content["text"]
    assert content["json"]["promises"] == [
        {"name": "report daily", "promised": "by 07:30 Europe/Berlin, at risk"},
        {"name": "report weekly", "promised": "by 07:30 Europe/Berlin"},
    ]


def test_the_assignee_gets_addresses(units: Warehouse, incidents: Incidents):
    daily(units)
    units.node("a")
    incidents.told()
    ((id_,),) = incidents.sql("select id::text from ops.incidents")
    assign(id_, "ann", "dan@example.com")
    found = contents(incidents)
    assert "bob@example.com" in found["dan@example.com"]["text"]
    assert "bob@example.com" not in found["webhook"]["text"]


@attack(
    by="data",
    what="A stored report whose recipients have another form, and a name with line ends and markup",
    answer="It has no recipients in the message of an incident, which is sent, with the name on one line",
)
def test_a_stored_definition_of_another_form_stops_no_message(
    units: Warehouse, incidents: Incidents
):
    daily(units)
    units.report("odd\nOwner: eve <b>", None, period="2026-01-01", recipients={"to": 5})
    units.reads("report", "odd\nOwner: eve <b>", "analytics.a")
    units.node("a", owner="olga@example.com")
    incidents.told()
    content = contents(incidents)["olga@example.com"]
    assert "- report daily -> 3 recipients: ann@example.com" in content["text"]
    assert "\nOwner: eve" not in content["text"]
