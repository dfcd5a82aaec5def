"""Payloads of event-driven alerts, and messages for invalid ones."""

import pytest

from flows.alerts.rules.payloads import AlertRequestError, parse_alert, parse_threshold
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


def test_an_alert_is_converted_to_a_rule():
    identity, rule = parse_alert(ALERT)
    assert identity == "alert:7"
    assert (rule.name, rule.operator, rule.threshold) == ("Pipeline fell", "<", 1000)
    assert [(c.name, c.to) for c in rule.channels or []] == [
        ("email", ["a@example.com"]), ("webhook", []), ("team-slack", []),
    ]  # fmt: skip


def test_a_threshold_is_converted_to_a_rule():
    identity, rule = parse_threshold(THRESHOLD)
    assert identity == "threshold:mrr"
    assert (rule.name, rule.warning, rule.critical) == ("MRR", 10, 5)
    assert parse_threshold({"id": 1, "metric_name": "x"})[1].sql is None


def test_keys_of_a_rule_are_accepted():
    _, rule = parse_alert({**ALERT, "reduce": "max", "repeat_every": "5m"})
    assert rule.reduce == "max"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": None, "name": None}, r"alert_data\.id is missing"),
        ({"query": None}, r"alert_data\.query is missing"),
        ({"query": "select 1; delete from x"}, "2 statements"),
        ({"threshold": "many"}, r"alert_data\.threshold: 'many' is not a valid number"),
        ({"operator": "~"}, "operator"),
        (
            {"notification_channels": [{"type": "mail"}]},
            r"type: 'mail' is not a valid type; did you mean 'email'",
        ),
        ({"notification_channels": [{"type": "email", "to": "a@b.c\r\nBcc: x@y.z"}]}, "channels"),
        ({"reduce": "avg"}, r"alert_data\.reduce"),
    ],
)
def test_an_invalid_key_is_named(change, complaint):
    with pytest.raises(AlertRequestError, match=complaint):
        parse_alert({**ALERT, **change})


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
def test_channels_of_older_callers_are_accepted(channels, expected):
    _, rule = parse_alert({**ALERT, "notification_channels": channels})
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
    what="URLs and passwords in the parameters of an alert, which all users of Prefect can read",
    answer="rejected without quoting them; the message names the variable",
)
def test_a_secret_is_rejected_with_its_replacement_and_without_quoting_it(channel, variable):
    kind = channel["type"]
    with pytest.raises(AlertRequestError, match=variable) as raised:
        parse_alert({**ALERT, "notification_channels": ["email", channel]})
    assert "alert_data.notification_channels[1]:" in str(raised.value)
    assert f'{{"type": "{kind}", "block": "ops-{kind}"}}' in str(raised.value)
    assert "s3cr3t" not in str(raised.value)


def test_all_mistakes_of_an_alert_are_named():
    wrong = {
        "id": None,
        "name": None,
        "query": "drop table x",
        "operator": "=>",
        "threshold": "many",
        "notification_channels": [{"type": "mail"}, {"type": "fax"}],
        "reduce": "avg",
        "owner": "a@b@c",
    }
    with pytest.raises(AlertRequestError) as raised:
        parse_alert({**ALERT, **wrong})
    message = str(raised.value)
    named = ["id is missing", "operator", "'many'", "'mail'", "'fax'", "reduce", "DROP", "'a@b@c'"]
    assert [name for name in named if name not in message] == []
    assert message.count("; ") < 14
    assert "no bound" not in message


def test_what_follows_from_a_mistake_is_not_named_as_another_one():
    with pytest.raises(AlertRequestError) as raised:
        parse_alert({**ALERT, "operator": None, "threshold": [1, 2]})
    assert str(raised.value).startswith("alert_data.operator is missing")
    assert "; alert" not in str(raised.value)
    with pytest.raises(AlertRequestError) as raised:
        parse_alert({**ALERT, "query": ""})
    assert str(raised.value).startswith("alert_data: ")


def test_all_mistakes_of_a_threshold_are_named():
    with pytest.raises(AlertRequestError) as raised:
        parse_threshold({"metric_name": None, "warning_threshold": "x", "critical_threshold": "y"})
    assert str(raised.value) == (
        "threshold_data.id is missing; every alert needs a stable id; threshold_data.warning_threshold:"
        " 'x' is not a valid number; threshold_data.critical_threshold: 'y' is not a valid number"
    )
