"""Recipients of notifications: alerts without recipients, and resolved only after firing."""

from datetime import timedelta

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.alerts import create_threshold_alert, process_pending_alerts, trigger_alert
from flows.alerts.rules.silence import Matcher, silence
from tests.flows.alerts.rules import (
    METRIC,
    deliveries,
    execute,
    last_content,
    query,
    rule,
    set_metric,
    store,
    store_events,
    tick,
)

pytestmark = pytest.mark.usefixtures("environment")

ANN, BOB = "ann@example.com", "bob@example.com"


@pytest.fixture
def webhook(http_sink, monkeypatch):
    """Configure the default webhook, which was missing until then."""

    def configure():
        monkeypatch.setenv("ALERT_WEBHOOK_URL", http_sink.url)
        settings.cache_clear()
        return http_sink

    return configure


def next_period():
    execute("update ops.alert_rules set evaluated_slot = evaluated_slot - interval '1 hour'")
    execute("update ops.alert_evaluations set slot = slot - interval '1 hour'")


def unnotified() -> list[str]:
    return query("select name from ops.alert_status where untold order by name")


def test_an_alert_without_recipients_is_notified_once_a_channel_is_configured(webhook):
    store(rule(channels=None, owner=None), rule("quiet", "select 1 as value", channels=None))
    assert (tick(0).unnotified, tick(1).unnotified) == (1, 1)
    assert query("select told from ops.alert_states where status = 'firing'") == [None]
    assert (unnotified(), deliveries(), query("select count(*) from ops.alert_events")) == (
        ["r"],
        [],
        [0],
    )
    webhook()
    assert tick(2).unnotified == 0
    assert (unnotified(), deliveries()) == ([], [("firing", "webhook")])
    assert tick(3).notifications == 0


def test_a_failing_rule_without_recipients_is_notified_once_a_channel_is_configured(webhook):
    store_events(rule(sql="select nope", channels=None, owner=None))
    assert (tick(0).unnotified, unnotified(), deliveries()) == (1, ["r"], [])
    webhook()
    tick(1)
    assert (unnotified(), deliveries()) == ([], [("error", "webhook")])


def test_the_owner_of_a_rule_without_recipients_is_notified_of_its_failure():
    store_events(rule(sql="select nope", channels=None))
    assert (tick(0).unnotified, deliveries()) == (0, [("error", "owner@example.com")])


def test_a_silenced_or_muted_alert_does_not_count_as_not_notified():
    store(rule(), rule("muted", muted=True, channels=None))
    silence(Matcher("r"), timedelta(hours=1), "")
    execute("update ops.alert_silences set until = '2030-01-01'")
    assert (tick(0).unnotified, unnotified()) == (0, [])


def test_an_alert_that_resolves_without_a_notification_causes_none(webhook):
    set_metric(11)
    store(rule(sql=METRIC, channels=None))
    tick(0)
    set_metric(9)
    webhook()
    tick(1)
    assert (deliveries(), unnotified()) == ([], [])


@pytest.mark.usefixtures("prefect_api")
def test_the_run_message_counts_alerts_that_are_not_notified(webhook):
    store(rule(channels=None))
    assert process_pending_alerts()["message"] == (
        "1 rule evaluated, 1 firing, 1 not notified (no recipients), 0 notifications sent"
    )
    webhook()
    execute("update ops.alert_rules set evaluated_slot = null")
    execute("delete from ops.alert_evaluations")
    assert process_pending_alerts()["own"] == {"sent": 1, "waiting": 0, "failed": 0}


@pytest.mark.usefixtures("prefect_api")
def test_event_alerts_without_recipients_are_notified_later_even_without_sql(webhook):
    threshold = {"id": "m", "metric_name": "mrr", "warning_threshold": 10, "critical_threshold": 5, "comparison_operator": "<"}  # fmt: skip
    result = create_threshold_alert(threshold, 4, "critical")
    assert (result["alert"]["untold"], result["alert"]["deliveries"]) == (True, 0)
    assert "not notified: the rule has no channels" in result["message"]
    set_metric(11)
    assert trigger_alert(
        {"id": 7, "name": "Fell", "query": METRIC, "threshold": 10, "operator": ">"}
    )["alert"]["untold"]
    hook = webhook()
    next_period()
    process_pending_alerts()
    received = sorted((each.json["rule"], each.json["kind"]) for each in hook.requests)
    assert received == [("Fell", "firing"), ("mrr", "firing")]
    assert next(e for e in hook.requests if e.json["rule"] == "mrr").json["value"] == 4
    next_period()
    assert process_pending_alerts()["summary"]["evaluated"] == 1, "only the one with SQL"


@pytest.mark.usefixtures("default_channels")
def test_a_recipient_without_the_firing_message_does_not_get_resolved(smtp_sink):
    store(rule(sql=METRIC, channels=[{"email": [ANN, BOB]}]))
    smtp_sink.refuse(BOB, 550)
    set_metric(11)
    tick(0)
    deliver_due()
    set_metric(9)
    tick(1)
    smtp_sink.refuse(BOB, 550, times=0)
    deliver_due()
    received = [(each.recipients[0], str(each.mail["Subject"])[:10]) for each in smtp_sink.messages]
    assert (ANN, "[RESOLVED]") in received
    assert (BOB, "[RESOLVED]") not in received


@pytest.mark.usefixtures("default_channels")
def test_a_recipient_of_a_later_firing_message_gets_resolved(smtp_sink):
    """The delivery of the warning to Bob failed, that of critical succeeded."""
    store(
        rule(sql=METRIC, threshold=None, warning=5, critical=20, channels=[{"email": [ANN, BOB]}])
    )
    smtp_sink.refuse(BOB, 550, times=1)
    for number, value in enumerate((11, 30, 1)):
        set_metric(value)
        tick(number)
        deliver_due()
    subjects = [str(e.mail["Subject"])[:10] for e in smtp_sink.messages if e.recipients == [BOB]]
    assert subjects == ["[CRITICAL]", "[RESOLVED]"]


@pytest.mark.usefixtures("default_channels")
def test_resolved_of_a_key_is_sent_to_recipients_of_its_own_firing_message(smtp_sink):
    execute("create table analytics.teams (team text, value int)")
    execute("grant select on analytics.teams to analytics_reader")
    execute("insert into analytics.teams values ('a', 11), ('b', 1)")
    sql = "select team, value from analytics.teams"
    store(rule(sql=sql, key_columns=["team"], value="value", channels=[{"email": [ANN, BOB]}]))
    tick(0)
    deliver_due()
    execute("update analytics.teams set value = 12 where team = 'b'")
    tick(1)
    smtp_sink.refuse(BOB, 550, times=1)
    deliver_due()
    execute("update analytics.teams set value = 1 where team = 'b'")
    tick(2)
    resolved = last_content()
    execute("update analytics.teams set value = 1")
    tick(3)
    deliver_due()
    subjects = [str(e.mail["Subject"]) for e in smtp_sink.messages if e.recipients == [BOB]]
    assert [each for each in subjects if each.startswith("[RESOLVED]")] == [
        "[RESOLVED] r: a resolved after 6m (worst 11)"
    ]
    assert resolved.get("incident_action") is None, "another key of the incident still fires"
    assert last_content()["incident_action"] == "resolve"
    assert last_content()["incident_key"] == resolved["incident_key"]


def test_a_message_has_the_fields_of_cards_and_incident_services():
    set_metric(11)
    store(rule(sql=METRIC, description="Of this test.", channels=["pager", "chat"]))
    tick(0)
    firing_content = last_content()
    assert firing_content["headline"] == "r: 11 (value > 10)"
    assert (firing_content["severity"], firing_content["incident_action"]) == (
        "critical",
        "trigger",
    )
    facts = {each["label"]: each["value"] for each in firing_content["facts"]}
    assert facts["Condition"] == "value > 10"
    assert (facts["Value"], facts["Owner"]) == ("11", "owner@example.com")
    (row,) = query("select topic, owner, fallback::text, reference from ops.messages")
    (event,) = query("select id from ops.alert_events")
    (rule_id,) = query("select id from ops.alert_rules")
    assert row[0] == f"{rule_id}/"
    assert row[1:] == ("owner@example.com", '[["pager", "pager"], ["chat", "chat"]]', str(event))
    set_metric(9)
    tick(1)
    assert (last_content()["severity"], last_content()["incident_action"]) == ("ok", "resolve")
    assert last_content()["incident_key"] == firing_content["incident_key"]
    firing, resolved = query("select id, follows from ops.messages order by position")
    assert (firing[1], resolved[1]) == (None, firing[0])


@pytest.mark.usefixtures("default_channels", "prefect_api")
def test_a_run_counts_its_own_notifications_and_sends_those_of_earlier_runs(http_sink):
    set_metric(1)
    store(rule("old"), rule("new", METRIC))
    tick(0)
    execute(
        "update ops.alert_rules set evaluated_slot = '2100-01-01', evaluated_at = now()"
        " where name = 'old'"
    )
    set_metric(11)
    execute("update ops.alert_rules set evaluated_slot = null where name = 'new'")
    result = process_pending_alerts()
    assert result["own"] == {"sent": 1, "waiting": 0, "failed": 0}
    assert result["message"].startswith("1 rule evaluated, 1 firing, 1 notification sent")
    assert "1 earlier notification sent" in result["message"]
    assert len(http_sink.requests) == 2


@pytest.mark.usefixtures("default_channels", "prefect_api")
def test_a_run_with_a_failed_notification_is_partial(http_sink):
    http_sink.answer(400)
    store(rule())
    state = process_pending_alerts(return_state=True)
    assert state.name == "Partial"
    assert "0 notifications sent, 1 notification failed" in (state.message or "")


@pytest.mark.usefixtures("prefect_api")
def test_the_run_message_counts_notifications_waiting_for_configuration(http_sink):
    del http_sink
    store(rule(channels=["missing"]))
    result = process_pending_alerts()
    assert "0 notifications sent, 1 waiting for configuration" in result["message"]
    assert result["own"] == {"sent": 0, "waiting": 1, "failed": 0}
