"""Rules that are removed, disabled, renamed or changed while their alerts fire."""

from collections.abc import Callable
from typing import Any

import pytest

from analytics_worker.delivery import deliver_due
from flows.alerts.rules.model import Rule
from flows.alerts.rules.sync import diff
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

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

ANN, BOB = "ann@example.com", "bob@example.com"
FIRING = ("firing", ANN)


def to(address: str, **fields: Any) -> Rule:
    return rule(sql=METRIC, channels=[{"email": [address]}], **fields)


def fire(of: Rule) -> None:
    set_metric(11)
    store(of)
    tick(0)
    deliver_due()


def delivered() -> list[tuple[str, str]]:
    """Send due messages; return kind and recipient of each that was sent, in order."""
    deliver_due()
    return query(
        "select message.kind, delivery.recipient from ops.messages as message"
        " join ops.deliveries as delivery on delivery.message_id = message.id"
        " where delivery.status = 'sent' order by message.position"
    )


def disable() -> None:
    store(to(ANN, enabled=False))


@pytest.mark.parametrize(
    ("end", "reason"), [(store, "the rule was removed"), (disable, "the rule was disabled")]
)
def test_the_alerts_of_a_removed_or_disabled_rule_end(
    smtp_sink, end: Callable[[], None], reason: str
):
    fire(to(ANN))
    end()
    assert query("select count(*) from ops.alert_states") == [0]
    assert delivered() == [FIRING, ("ended", ANN)]
    content = last_content()
    assert content["subject"].startswith("[ENDED] r: ended after ")
    assert content["subject"].endswith(f": {reason}")
    assert f"Reason:    {reason}\n" in content["text"]
    assert (content["incident_action"], content["json"]["reason"]) == ("resolve", reason)
    end()
    tick(1)
    assert len(delivered()) == len(smtp_sink.messages) == 2


def test_an_alert_that_nobody_was_notified_of_ends_without_a_notification():
    fire(to(ANN, muted=True))
    store()
    assert deliveries() == []


def test_ended_is_not_sent_to_those_who_did_not_get_firing(smtp_sink):
    smtp_sink.refuse(BOB, 550)
    fire(rule(sql=METRIC, channels=[{"email": [ANN, BOB]}]))
    smtp_sink.refuse(BOB, 550, times=0)
    store()
    assert [each for each in delivered() if each[0] == "ended"] == [("ended", ANN)]


def test_an_enabled_rule_starts_anew():
    fire(to(ANN))
    disable()
    store(to(ANN))
    tick(1)
    assert delivered() == [FIRING, ("ended", ANN), FIRING]


def test_a_renamed_rule_keeps_its_state():
    fire(to(ANN))
    new = to(ANN, name="new", was="r")
    assert [(c.action, c.name, c.fields["name"]) for c in diff({("alert", "new"): new})] == [
        ("renamed", "new", ("r", "new"))
    ]
    store(new)
    store(new)
    tick(1)
    assert query("select name, status from ops.alert_status") == [("new", "firing")]
    set_metric(9)
    tick(2)
    assert delivered() == [FIRING, ("resolved", ANN)]
    assert last_content()["subject"] == "[RESOLVED] new: resolved after 4m (worst 11)"


def test_a_rule_is_renamed_to_the_name_of_a_retired_one():
    store(rule("new"))
    fire(to(ANN))
    store(to(ANN, name="new", was="r"))
    assert query("select name, status from ops.alert_status") == [("new", "firing")]
    (retired,) = query("select name from ops.alert_rules where retired_at is not null")
    assert retired.startswith("new (retired, ")


def test_a_rule_that_was_retired_before_its_new_name_was_stored_starts_anew():
    fire(to(ANN))
    store()
    store(to(ANN, name="new", was="r"))
    tick(1)
    assert delivered() == [FIRING, ("ended", ANN), FIRING]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ({"key_columns": ["k"]}, {"key_columns": ["l"]}, "key_columns"),
        ({"key_columns": ["k"]}, {}, "key_columns"),
        ({"key_columns": ["k", "l"]}, {"key_columns": ["k", "l"], "group_by": ["k"]}, "group_by"),
    ],
)
def test_if_the_keys_change_the_old_alerts_end_and_new_ones_fire(old, new, field):
    sql = "select 'a' as k, 'b' as l, 11 as value"
    common = {"sql": sql, "value": "value", "channels": [{"email": [ANN]}]}
    store(rule(**common, **old))
    tick(0)
    assert delivered() == [FIRING]
    store(rule(**common, **new))
    assert last_content()["json"]["reason"] == f"the {field} of the rule changed"
    tick(1)
    assert delivered() == [FIRING, ("ended", ANN), FIRING]
    assert query("select count(*) from ops.alert_states") == [1]


def test_resolved_is_sent_to_those_who_got_firing_although_the_channels_changed():
    fire(to(ANN))
    store(to(BOB))
    tick(1)
    set_metric(9)
    tick(2)
    assert delivered()[:2] == [FIRING, ("firing", BOB)]
    assert sorted(delivered()[2:]) == [("resolved", ANN), ("resolved", BOB)]


def test_resolved_is_sent_to_old_and_new_recipients_that_were_notified():
    fire(to(ANN, repeat_every="2m"))
    store(rule(sql=METRIC, repeat_every="2m", channels=["webhook", {"email": [BOB]}]))
    tick(1)
    set_metric(9)
    tick(2)
    assert sorted(each for each in delivered() if each[0] == "resolved") == [
        ("resolved", ANN),
        ("resolved", BOB),
        ("resolved", "webhook"),
    ]


def test_without_channels_the_alert_ends():
    fire(to(ANN))
    store(rule(sql=METRIC, channels=[]))
    assert delivered() == [FIRING, ("ended", ANN)]


def test_the_end_of_an_error_is_sent_to_the_owner_who_got_the_error():
    store_events(to(ANN, owner="old@example.com"))
    execute("drop table if exists analytics.metric")
    tick(0)
    store_events(to(ANN, owner="new@example.com"))
    set_metric(9)
    tick(1)
    assert delivered() == [("error", "old@example.com"), ("error_resolved", "old@example.com")]


def test_a_rule_with_an_invalid_stored_definition_ends():
    fire(to(ANN))
    execute("update ops.alert_rules set definition = definition || '{\"color\": 1}'")
    store()
    assert delivered() == [FIRING, ("ended", ANN)]
