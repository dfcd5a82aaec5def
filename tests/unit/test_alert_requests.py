"""What callers of the event-driven alerts may send, and what they are told if it does not fit."""

import pytest

from flows.alerts.rules.payloads import AlertRequestError, alert_rule, threshold_rule
from tests.support.attacks import attack

ALERT = {
    "id": 7,
    "name": "Pipeline fell",
    "query": "select sum(open_value) as value from analytics.pipeline_kpis",
    "threshold": "1000",
    "operator": "less_than",
    "notification_channels": [
        {"type": "email", "recipients": ["a@example.com"]},
        {"type": "webhook"},
        {"type": "slack", "block": "team-slack"},
    ],
    "created_by": "an app that sends whole rows",
}
THRESHOLD = {
    "id": "mrr",
    "metric_name": "MRR",
    "query": "select 1 as value",
    "warning_threshold": 10,
    "critical_threshold": 5,
    "comparison_operator": "<",
}


def test_an_alert_becomes_a_rule():
    identity, rule = alert_rule(ALERT)
    assert identity == "alert:7"
    assert (rule.name, rule.operator, rule.threshold) == ("Pipeline fell", "<", 1000)
    assert [(c.name, c.to) for c in rule.channels or []] == [
        ("email", ["a@example.com"]), ("webhook", []), ("team-slack", []),
    ]  # fmt: skip


def test_a_threshold_becomes_a_rule():
    identity, rule = threshold_rule(THRESHOLD)
    assert identity == "threshold:mrr"
    assert (rule.name, rule.warning, rule.critical) == ("MRR", 10, 5)
    assert threshold_rule({"id": 1, "metric_name": "x"})[1].sql is None


def test_keys_of_a_rule_work_too():
    _, rule = alert_rule({**ALERT, "reduce": "max", "repeat_every": "5m"})
    assert rule.reduce == "max"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": None, "name": None}, "has no id"),
        ({"query": None}, r"alert_data\.query is missing"),
        ({"query": "select 1; delete from x"}, "2 statements"),
        ({"threshold": "many"}, r"alert_data\.threshold is 'many', not a number"),
        ({"operator": "~"}, "operator"),
        ({"notification_channels": [{"type": "mail"}]}, "type 'mail'; did you mean 'email'"),
        ({"notification_channels": [{"type": "email", "to": "a@b.c\r\nBcc: x@y.z"}]}, "channels"),
        ({"reduce": "avg"}, r"alert_data\.reduce"),
    ],
)
def test_what_does_not_fit_is_named(change, complaint):
    with pytest.raises(AlertRequestError, match=complaint):
        alert_rule({**ALERT, **change})


@pytest.mark.parametrize(
    ("channels", "expected"),
    [
        ("email", [("email", [])]),
        ({"type": "webhook"}, [("webhook", [])]),
        (["slack", {"type": "webhook"}], [("slack", []), ("webhook", [])]),
        ([{"type": "email", "to": "a@x.example, b@x.example"}], [("email", ["a@x.example", "b@x.example"])]),
        ([{"type": "email", "config": {"recipients": ["a@x.example"]}}], [("email", ["a@x.example"])]),
        ([{"type": "slack", "channel": "#ops"}], [("slack", [])]),
        ([{"type": "webhook", "name": "ops-hook"}], [("ops-hook", [])]),
    ],
)  # fmt: skip
def test_channels_may_be_written_as_callers_used_to(channels, expected):
    _, rule = alert_rule({**ALERT, "notification_channels": channels})
    assert [(c.name, c.to) for c in rule.channels or []] == expected


@pytest.mark.parametrize(
    ("channel", "variable"),
    [
        ({"type": "webhook", "url": "https://hooks.example.com/s3cr3t"}, "ALERT_WEBHOOK_URL"),
        ({"type": "slack", "config": {"webhook_url": "https://s3cr3t"}}, "ALERT_SLACK_URL"),
        ({"type": "email", "to": "a@b.example", "password": "s3cr3t"}, r"ALERT_EMAIL_\*"),
    ],
)
@attack(
    by="API caller",
    what="URLs and passwords in the parameters of an alert, which everybody can read",
    answer="refused without being repeated; the message names the variable",
)
def test_a_secret_is_refused_with_the_way_to_move_it_and_without_repeating_it(channel, variable):
    kind = channel["type"]
    with pytest.raises(AlertRequestError, match=variable) as refused:
        alert_rule({**ALERT, "notification_channels": ["email", channel]})
    assert "alert_data.notification_channels[1]:" in str(refused.value)
    assert f'{{"type": "{kind}", "block": "ops-{kind}"}}' in str(refused.value)
    assert "s3cr3t" not in str(refused.value)
