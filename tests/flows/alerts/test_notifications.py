"""Who is notified of what: untold until there is somebody, an end only for those who got the beginning."""

from datetime import timedelta

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.alerts import create_threshold_alert, process_pending_alerts, trigger_alert
from flows.alerts.rules.silence import silence
from tests.flows.alerts.rules import (
    METRIC,
    content,
    execute,
    metric,
    query,
    rule,
    store,
    tick,
    told,
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


def untold() -> list[str]:
    return query("select name from ops.alert_status where untold order by name")


def test_an_alert_without_recipients_is_untold_and_notified_when_there_is_somebody(webhook):
    store(rule(channels=None, owner=None), rule("quiet", "select 1 as value", channels=None))
    assert (tick(0).untold, tick(1).untold) == (1, 1)
    assert query("select told from ops.alert_states where status = 'firing'") == [None]
    assert (untold(), told(), query("select count(*) from ops.alert_events")) == (["r"], [], [0])
    webhook()
    assert tick(2).untold == 0
    assert (untold(), told()) == ([], [("firing", "webhook")])
    assert tick(3).notices == 0


def test_a_rule_that_fails_without_anybody_to_notify_is_untold_too(webhook):
    store(rule(sql="select nope", channels=None, owner=None))
    assert (tick(0).untold, untold(), told()) == (1, ["r"], [])
    webhook()
    tick(1)
    assert (untold(), told()) == ([], [("error", "webhook")])


def test_an_owner_hears_of_the_failure_though_there_are_no_readers():
    store(rule(sql="select nope", channels=None))
    assert (tick(0).untold, told()) == (0, [("error", "owner@example.com")])


def test_what_is_silenced_or_muted_is_not_untold():
    store(rule(), rule("muted", muted=True, channels=None))
    silence("r", timedelta(hours=1), "")
    execute("update ops.alert_rules set silenced_until = '2030-01-01' where name = 'r'")
    assert (tick(0).untold, untold()) == (0, [])


def test_an_alert_that_ends_untold_says_nothing(webhook):
    metric(11)
    store(rule(sql=METRIC, channels=None))
    tick(0)
    metric(9)
    webhook()
    tick(1)
    assert (told(), untold()) == ([], [])


@pytest.mark.usefixtures("prefect_api")
def test_a_run_says_that_an_alert_is_untold(webhook):
    store(rule(channels=None))
    assert process_pending_alerts()["message"] == (
        "1 rules evaluated, 1 firing, 1 untold (no recipients), 0 notices sent"
    )
    webhook()
    execute("update ops.alert_rules set evaluated_slot = null")
    execute("delete from ops.alert_evaluations")
    assert process_pending_alerts()["own"] == {"sent": 1, "waiting": 0, "failed": 0}


@pytest.mark.usefixtures("prefect_api")
def test_events_without_recipients_are_notified_later_also_without_sql(webhook):
    threshold = {"id": "m", "metric_name": "mrr", "warning_threshold": 10, "critical_threshold": 5, "comparison_operator": "<"}  # fmt: skip
    done = create_threshold_alert(threshold, 4, "critical")
    assert (done["alert"]["untold"], done["alert"]["deliveries"]) == (True, 0)
    assert "nobody is notified" in done["message"]
    metric(11)
    assert trigger_alert(
        {"id": 7, "name": "Fell", "query": METRIC, "threshold": 10, "operator": ">"}
    )["alert"]["untold"]
    hook = webhook()
    next_period()
    process_pending_alerts()
    heard = sorted((each.json["rule"], each.json["kind"]) for each in hook.requests)
    assert heard == [("Fell", "firing"), ("mrr", "firing")]
    assert next(e for e in hook.requests if e.json["rule"] == "mrr").json["value"] == 4
    next_period()
    assert process_pending_alerts()["summary"]["evaluated"] == 1, "only the one with SQL"


@pytest.mark.usefixtures("default_channels")
def test_who_never_got_firing_does_not_get_resolved(smtp_sink):
    store(rule(sql=METRIC, channels=[{"email": [ANN, BOB]}]))
    smtp_sink.refuse(BOB, 550)
    metric(11)
    tick(0)
    deliver_due()
    metric(9)
    tick(1)
    smtp_sink.refuse(BOB, 550, times=0)
    deliver_due()
    heard = [(each.recipients[0], str(each.mail["Subject"])[:10]) for each in smtp_sink.messages]
    assert (ANN, "[RESOLVED]") in heard
    assert (BOB, "[RESOLVED]") not in heard


@pytest.mark.usefixtures("default_channels")
def test_who_heard_of_it_later_gets_resolved(smtp_sink):
    """The warning did not reach Bob, the critical one did."""
    store(
        rule(sql=METRIC, threshold=None, warning=5, critical=20, channels=[{"email": [ANN, BOB]}])
    )
    smtp_sink.refuse(BOB, 550, times=1)
    for number, value in enumerate((11, 30, 1)):
        metric(value)
        tick(number)
        deliver_due()
    heard = [str(e.mail["Subject"])[:10] for e in smtp_sink.messages if e.recipients == [BOB]]
    assert heard == ["[CRITICAL]", "[RESOLVED]"]


@pytest.mark.usefixtures("default_channels")
def test_the_end_of_one_key_is_for_those_who_got_its_own_beginning(smtp_sink):
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
    ended = content()
    execute("update analytics.teams set value = 1")
    tick(3)
    deliver_due()
    bobs = [str(e.mail["Subject"]) for e in smtp_sink.messages if e.recipients == [BOB]]
    assert [each for each in bobs if each.startswith("[RESOLVED]")] == [
        "[RESOLVED] r: a over after 6m, worst value 11"
    ]
    assert ended.get("incident_action") is None, "another key of the incident still fires"
    assert content()["incident_action"] == "resolve"
    assert content()["incident_key"] == ended["incident_key"]


def test_a_message_has_what_cards_and_incident_services_show():
    metric(11)
    store(rule(sql=METRIC, description="Of this test.", channels=["pager", "chat"]))
    tick(0)
    shown = content()
    assert shown["headline"] == "r: 11 (value > 10)"
    assert (shown["severity"], shown["incident_action"]) == ("critical", "trigger")
    facts = {each["label"]: each["value"] for each in shown["facts"]}
    assert facts["Condition"] == "value > 10"
    assert (facts["Value"], facts["Owner"]) == ("11", "owner@example.com")
    (row,) = query("select topic, owner, fallback::text, reference from ops.messages")
    (event,) = query("select id from ops.alert_events")
    (rule_id,) = query("select id from ops.alert_rules")
    assert row[0] == f"{rule_id}/"
    assert row[1:] == ("owner@example.com", '[["pager", "pager"], ["chat", "chat"]]', str(event))
    metric(9)
    tick(1)
    assert (content()["severity"], content()["incident_action"]) == ("ok", "resolve")
    assert content()["incident_key"] == shown["incident_key"]
    firing, resolved = query("select id, follows from ops.messages order by position")
    assert (firing[1], resolved[1]) == (None, firing[0])


@pytest.mark.usefixtures("default_channels", "prefect_api")
def test_a_run_answers_for_its_own_notices_and_sends_what_others_left(http_sink):
    metric(1)
    store(rule("old"), rule("new", METRIC))
    tick(0)
    execute(
        "update ops.alert_rules set evaluated_slot = '2100-01-01', evaluated_at = now()"
        " where name = 'old'"
    )
    metric(11)
    execute("update ops.alert_rules set evaluated_slot = null where name = 'new'")
    result = process_pending_alerts()
    assert result["own"] == {"sent": 1, "waiting": 0, "failed": 0}
    assert result["message"].startswith("1 rules evaluated, 1 firing, 1 notices sent")
    assert "1 earlier notices sent" in result["message"]
    assert len(http_sink.requests) == 2


@pytest.mark.usefixtures("default_channels", "prefect_api")
def test_a_run_whose_notice_failed_is_partial(http_sink):
    http_sink.answer(400)
    store(rule())
    state = process_pending_alerts(return_state=True)
    assert state.name == "Partial"
    assert "0 notices sent, 1 failed" in (state.message or "")


@pytest.mark.usefixtures("prefect_api")
def test_a_notice_that_waits_for_configuration_is_said(http_sink):
    del http_sink
    store(rule(channels=["nobody"]))
    result = process_pending_alerts()
    assert "0 notices sent, 1 waiting for configuration" in result["message"]
    assert result["own"] == {"sent": 0, "waiting": 1, "failed": 0}
