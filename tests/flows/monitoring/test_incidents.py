"""What fails for one cause is one incident, notified once when it opens, grows, changes or ends."""

from datetime import timedelta
from uuid import uuid4

from flows.monitoring.checks.delivery import check_messages
from tests.flows.monitoring.drift import last_text
from tests.flows.monitoring.incidents import NIGHT, Incidents, Warehouse

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


def test_nights_of_unrelated_failures(units: Warehouse, incidents: Incidents):
    units.node("a")
    assert incidents.told(NIGHT) == ["opened [critical] dbt model a"]
    units.node("b")
    assert incidents.told(NIGHT) == ["opened [critical] dbt model b"]
    units.node("a", "ok")
    assert incidents.told(NIGHT) == ["resolved [resolved] dbt model a"]
    assert "\nOver after 2d, since " in last_text(incidents.sql)
    units.node("w", "warning", kind="test")
    assert incidents.told(NIGHT) == ["opened [warning] dbt test w"]
    assert incidents.open() == [("analytics.b", "critical", 1), ("test.p.w", "warning", 1)]
    assert incidents.told(NIGHT) == []


def test_an_owner_who_is_known_later_is_notified_once_of_what_is_open(
    units: Warehouse, incidents: Incidents, sql, variables
):
    variables(alert_email_host="127.0.0.1", alert_email_from="w@example.com")
    units.rule("r")
    assert incidents.told() == ["opened [critical] rule r"]
    owned = "update ops.alert_rules set definition = jsonb_build_object('owner', %s::text)"
    notified = (
        "select recipient, kind from ops.messages as m join ops.deliveries as d on m.id = d.message_id"
        " where recipient = 'ann@example.com'"
    )
    for owner in ("ann@example.com", None, "ann@example.com", "a name without a channel"):
        sql(owned, (owner,))
        incidents.update()
    assert sql(notified) == [("ann@example.com", "incident_opened")]
    units.rule("r", None)
    incidents.update()
    assert len(sql(notified)) == 2, "also its end"


def test_tests_on_a_failed_model_and_what_reads_it_are_one_incident(
    units: Warehouse, incidents: Incidents
):
    units.node("a", owner="ann@example.com")
    units.node("b")
    units.model_reads("b", "a")
    for name in ("t1", "t2"):
        units.node(name, kind="test")
        units.reads("dbt", f"test.p.{name}", "analytics.b")
    units.reads("report", "daily", "analytics.b")
    assert incidents.told() == ["opened [critical] dbt model a"]
    assert incidents.open() == [("analytics.a", "critical", 4)]
    ((content, owner),) = incidents.sql(
        "select content, i.owner from ops.messages, ops.incidents as i"
    )
    assert "Affected: 1 report (daily)" in content["text"]
    assert "- dbt test t1: it broke" in content["text"]
    assert owner == "ann@example.com"
    for name in ("a", "b", "t1", "t2"):
        units.node(name, "ok", kind="test" if name[0] == "t" else "model")
    assert incidents.told() == ["resolved [resolved] dbt model a"]


def test_thirty_rules_on_a_dropped_table_are_one_incident(units: Warehouse, incidents: Incidents):
    incidents.sql("create table analytics.orders (id int)")
    for number in range(30):
        units.rule(f"rule {number}", None)
        units.reads("rule", f"rule {number}", "analytics.orders")
    assert incidents.told() == []
    incidents.sql("drop table analytics.orders")
    assert incidents.told() == [], "a gap between two builds is no problem until a reader fails"
    for number in range(30):
        units.rule(f"rule {number}")
    assert incidents.told() == ["opened [critical] analytics.orders"]
    assert incidents.open() == [("analytics.orders", "critical", 31)]
    incidents.sql("create table analytics.orders (id int)")
    assert incidents.told() == [], "the rules did not run yet"
    for number in range(30):
        units.rule(f"rule {number}", None)
    assert incidents.told() == ["resolved [resolved] analytics.orders"]


def test_views_below_a_failed_view_are_one_incident(units: Warehouse, incidents: Incidents):
    incidents.sql("create materialized view analytics.v1 as select 1 as n")
    incidents.sql("create materialized view analytics.v2 as select n from analytics.v1")
    for view in ("v1", "v2"):
        units.refresh(view, "failed")
    assert incidents.told() == ["opened [critical] refresh of analytics.v1"]
    assert incidents.open() == [("analytics.v1", "critical", 2)]
    units.refresh("v1", "success")
    assert incidents.told() == []
    assert incidents.open() == [("analytics.v2", "critical", 1)]
    units.refresh("v2", "unchanged")
    assert incidents.told() == ["resolved [resolved] refresh of analytics.v1"]


def test_a_report_that_fails_is_an_incident_until_a_run_of_it_works(
    units: Warehouse, incidents: Incidents, sql
):
    units.report("daily", "no such column", period="2026-01-01")
    assert incidents.told() == [], "its own message has the period and the key"
    assert incidents.events() == ["opened daily"]
    assert incidents.last
    assert incidents.last.unnotified == []
    assert check_messages().status == "healthy"
    sql("update ops.report_runs set status = 'running'")
    incidents.update()
    assert incidents.events() == [], "it is tried again"
    units.report("daily", None, period="2026-01-02")
    incidents.update()
    assert incidents.events() == ["resolved daily"]


def test_a_report_that_fails_for_a_view_is_a_part_of_its_incident(
    units: Warehouse, incidents: Incidents
):
    incidents.sql("create table analytics.a (id int)")
    units.report("daily", "no such column", period="2026-01-01")
    units.reads("report", "daily", "analytics.a")
    assert incidents.told() == []
    units.node("a")
    assert incidents.told() == ["opened [critical] dbt model a"]
    assert incidents.open() == [("analytics.a", "critical", 2)]


def test_a_deployment_that_failed_because_of_a_unit_is_not_notified_apart(
    units: Warehouse, incidents: Incidents, sql
):
    run_id = str(uuid4())
    units.node("a")
    sql("update ops.dbt_node_health set flow_run_id = %s", (run_id,))
    assert incidents.told() == ["opened [critical] dbt model a"]
    units.deployment("run-dbt-models/dbt", "failing", "Failed", run_id)
    assert incidents.told(HOUR) == []
    assert incidents.open() == [("analytics.a", "critical", 2)]
    units.deployment("refresh-catalog/analytics", "failing", "Crashed")
    assert incidents.told() == ["opened [critical] refresh-catalog/analytics: Crashed"]


def test_growth_is_notified_in_one_message(units: Warehouse, incidents: Incidents):
    units.node("a")
    for name in ("b", "c"):
        units.model_reads(name, "a")
    assert incidents.told() == ["opened [critical] dbt model a"]
    units.node("b")
    assert incidents.told() == []
    units.node("c")
    assert incidents.told() == []
    assert incidents.told(HOUR) == ["grew [critical, 2 more] dbt model a"]
    for status in ("ok", "failing"):
        units.node("b", status)
        assert incidents.told(HOUR) == []


def test_a_severity_that_changes_each_minute_is_notified_once(
    units: Warehouse, incidents: Incidents
):
    units.node("a", "warning")
    assert incidents.told() == ["opened [warning] dbt model a"]
    units.node("a", "failing")
    assert incidents.told() == ["severity_changed [now critical] dbt model a"]
    for status in ("warning", "failing", "warning", "failing", "warning"):
        units.node("a", status)
        assert incidents.told() == []
    assert incidents.told(HOUR) == ["severity_changed [now warning] dbt model a"]


def test_incidents_that_turn_out_to_have_one_cause_become_the_older_one(
    units: Warehouse, incidents: Incidents, sql
):
    for name in ("b", "c"):
        units.node(name)
        units.model_reads(name, "a")
        incidents.told()
    units.node("a")
    assert incidents.told(MINUTE) == []
    assert incidents.open() == [("analytics.a", "critical", 3)]
    incidents.events()
    for name in ("a", "b", "c"):
        units.node(name, "ok")
    assert incidents.told() == [
        "resolved [resolved] dbt model b",
        "resolved [resolved] dbt model c",
    ], "each message that it opened is followed by one that it is over"
    keys = sql("select content ->> 'incident_key' from ops.messages order by position")
    assert sorted(keys[:2]) == sorted(keys[-2:])


def test_consequences_that_outlive_their_cause_end_for_those_who_were_notified(
    units: Warehouse, incidents: Incidents
):
    units.node("a")
    for name in ("b", "c"):
        units.node(name)
        units.model_reads(name, "a")
    assert incidents.told() == ["opened [critical] dbt model a"]
    units.node("a", "ok")
    assert incidents.told() == []
    assert incidents.open() == [("analytics.b", "critical", 2)]
    units.node("b", "ok")
    assert incidents.told() == []
    units.node("c", "ok")
    assert incidents.told() == ["resolved [resolved] dbt model a"]
