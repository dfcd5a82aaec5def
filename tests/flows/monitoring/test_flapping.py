"""An incident that fails again soon after its end goes on, and sends one message in place of one for each change."""

from datetime import timedelta

from typer.testing import CliRunner

from analytics_worker.cli import app
from tests.flows.monitoring.incidents import Incidents, Warehouse

FIVE, CALM = timedelta(minutes=5), timedelta(minutes=30)
OPENED = "opened [critical] dbt model a"
RESOLVED = "resolved [resolved] dbt model a"
FLAPPING = "flapping [critical, flapping] dbt model a"


def flap(units: Warehouse, incidents: Incidents, times: int) -> list[str]:
    """Let a node fail and work every five minutes."""
    told = list[str]()
    for _ in range(times):
        units.node("a", "ok")
        told += incidents.told(FIVE)
        units.node("a")
        told += incidents.told(FIVE)
    return told


def texts(incidents: Incidents) -> list[str]:
    rows = incidents.sql("select content ->> 'text' from ops.messages order by position")
    return [text for (text,) in rows]


def test_a_node_that_fails_every_ten_minutes_sends_four_messages(
    units: Warehouse, incidents: Incidents
):
    units.node("a")
    assert incidents.told() == [OPENED]
    assert flap(units, incidents, 6) == [RESOLVED, FLAPPING]
    assert "Flapping: opened 2 times since" in texts(incidents)[-1]
    assert incidents.open() == [("analytics.a", "critical", 1)]
    units.node("a", "ok")
    assert incidents.told(FIVE) == []
    assert incidents.open() == [], "it is over for reports that wait for it"
    assert incidents.told(CALM - FIVE) == []
    assert incidents.told(FIVE) == [RESOLVED]
    assert "1 unit had failed, opened 7 times." in texts(incidents)[-1]
    assert incidents.told(CALM) == []
    ((count, kinds),) = incidents.sql(
        "select count(distinct incident_id)::int, string_agg(left(kind, 3), ' ' order by id)"
        " from ops.incident_events"
    )
    assert count == 1
    assert kinds == "ope " + "res reo " * 6 + "res", "the history has each of them"


def test_one_that_fails_for_the_calm_time_is_open_again(units: Warehouse, incidents: Incidents):
    units.node("a")
    incidents.told()
    assert flap(units, incidents, 2) == [RESOLVED, FLAPPING]
    assert incidents.told(CALM - FIVE) == []
    assert incidents.told(FIVE) == ["still_open [still critical] dbt model a"]
    units.node("a", "ok")
    assert incidents.told(FIVE) == [RESOLVED], "from then on, its end is notified at once"


def test_after_the_calm_time_it_is_another_incident(units: Warehouse, incidents: Incidents):
    for _ in range(2):
        units.node("a")
        assert incidents.told(CALM) == [OPENED]
        units.node("a", "ok")
        assert incidents.told() == [RESOLVED]
    assert incidents.sql("select openings from ops.incidents") == [(1,), (1,)]


def test_a_higher_severity_is_notified_while_it_is_flapping(units: Warehouse, incidents: Incidents):
    units.node("a", "warning")
    incidents.told()
    for status in ("ok", "warning", "ok"):
        units.node("a", status)
        incidents.told()
    units.node("a")
    assert incidents.told() == ["severity_changed [now critical] dbt model a"]
    assert "Flapping: opened 3 times" in texts(incidents)[-1]
    assert incidents.told() == []


def test_another_cause_is_another_incident(units: Warehouse, incidents: Incidents):
    """A new cause is not hidden by what flapped before, though it reaches the same units."""
    units.node("a")
    units.node("b")
    units.model_reads("b", "a")
    incidents.told()
    for name in ("a", "b"):
        units.node(name, "ok")
    assert incidents.told() == [RESOLVED]
    units.node("c")
    units.model_reads("a", "c")
    units.node("a")
    assert incidents.told() == ["opened [critical] dbt model c"]


def test_each_failure_is_an_incident_if_damping_is_off(
    units: Warehouse, incidents: Incidents, variables
):
    variables(incident_calm_minutes="off")
    units.node("a")
    incidents.told()
    assert flap(units, incidents, 2) == [RESOLVED, OPENED] * 2


def test_commands_show_that_it_is_flapping(units: Warehouse, incidents: Incidents):
    units.node("a")
    incidents.told()
    flap(units, incidents, 3)
    assert "critical (flapping)" in CliRunner().invoke(app, ["incidents", "list"]).output
    ((id_,),) = incidents.sql("select id::text from ops.incidents")
    shown = CliRunner().invoke(app, ["incidents", "show", id_]).output
    assert "Opened again: 3 times, last " in shown


def test_an_incident_that_is_merged_while_it_flaps_is_over(units: Warehouse, incidents: Incidents):
    units.node("b")
    incidents.told()
    units.node("a")
    incidents.told()
    flap(units, incidents, 1)
    units.model_reads("b", "a")
    units.node("c")
    incidents.told()
    assert incidents.open() == [("analytics.a", "critical", 2), ("analytics.c", "critical", 1)]
    assert incidents.sql(
        "select flapping_since is null from ops.incidents where merged_into is not null"
    ) == [(True,)]


def test_what_no_recipient_was_notified_of_is_not_flapping(
    units: Warehouse, incidents: Incidents, variables
):
    variables(alert_webhook_url="")
    units.node("a")
    incidents.told()
    units.node("a", "ok")
    assert incidents.told() == []
    variables(alert_webhook_url="http://127.0.0.1:1/")
    units.node("a")
    assert incidents.told() == [OPENED]
    units.node("a", "ok")
    assert incidents.told() == [RESOLVED]
