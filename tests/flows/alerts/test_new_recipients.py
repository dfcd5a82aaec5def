"""Recipients that a rule gets while its alerts fire are notified of each, once."""

from datetime import timedelta
from typing import Any

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.alerts.rules.model import Rule
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
    tick,
)

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

ANN, BOB, EVE = "ann@example.com", "bob@example.com", "eve@example.com"


def to(*addresses: str, **fields: Any) -> Rule:
    fields = {"sql": METRIC, "channels": [{"email": list(addresses)}], **fields}
    return rule(**fields)


def run(number: int, of: Rule, value: float | None = 11) -> list[tuple[str, str]]:
    """Store the rule, evaluate it, send; return kind and recipient of what was sent."""
    store(of)
    set_metric(value)
    tick(number)
    deliver_due()
    sent = query(
        "select message.kind, delivery.recipient from ops.messages as message"
        " join ops.deliveries as delivery on delivery.message_id = message.id"
        " where delivery.status = 'sent' and not seen order by delivery.recipient, message.position"
    )
    execute("update ops.messages set seen = true")
    return sent


@pytest.fixture(autouse=True)
def _seen(environment):  # noqa: ARG001  # its tables
    execute("alter table ops.messages add column seen boolean not null default false")


def test_a_recipient_that_is_added_is_notified_once_and_of_the_end():
    assert run(0, to(ANN)) == [("firing", ANN)]
    assert run(1, to(ANN, BOB)) == [("firing", BOB)]
    assert last_content()["text"].count("2026-03-01 12:00:00 UTC") == 1
    assert run(2, to(ANN, BOB)) == []
    assert run(3, to(ANN, BOB), 9) == [("resolved", ANN), ("resolved", BOB)]
    assert run(4, to(ANN, BOB, EVE), 9) == []


def test_a_recipient_that_replaces_another_is_notified_and_both_of_the_end():
    assert run(0, to(ANN)) == [("firing", ANN)]
    assert run(1, to(BOB)) == [("firing", BOB)]
    assert run(2, to(ANN)) == []
    assert run(3, to(BOB), 9) == [("resolved", ANN), ("resolved", BOB)]
    assert run(4, to(BOB)) == [("firing", BOB)]


def test_a_repeat_is_for_all_and_needs_no_other_message():
    assert run(0, to(ANN, repeat_every="4m")) == [("firing", ANN)]
    assert run(2, to(ANN, BOB, repeat_every="4m")) == [("still_firing", ANN), ("still_firing", BOB)]
    assert run(3, to(ANN, BOB, repeat_every="4m")) == []


def test_a_channel_of_the_settings_that_is_added_is_notified(monkeypatch):
    settings_rule = to(channels=None)
    monkeypatch.setenv("ALERT_EMAIL_TO", ANN)
    settings.cache_clear()
    before = run(0, settings_rule)
    monkeypatch.setenv("ALERT_EMAIL_TO", f"{ANN},{BOB}")
    settings.cache_clear()
    assert (len(before) > 0, run(1, settings_rule)) == (True, [("firing", BOB)])


def test_during_a_silence_a_new_recipient_waits():
    assert run(0, to(ANN)) == [("firing", ANN)]
    silence(Matcher("r"), timedelta(hours=1), "")
    assert run(1, to(BOB)) == []
    silence(Matcher("r"), timedelta(0), "")
    assert run(2, to(BOB)) == [("firing", BOB)]


def test_each_key_is_notified_when_it_is_not_silenced():
    keyed = "select k, 11 as value from (values ('a'), ('b')) as t (k)"
    fields = {"sql": keyed, "key_columns": ["k"], "value": "value"}
    assert run(0, to(ANN, **fields)) == [("firing", ANN)]
    silence(Matcher(keys=("a",)), timedelta(hours=1), "")
    assert run(1, to(ANN, BOB, **fields)) == [("firing", BOB)]
    assert last_content()["json"]["worst"][0]["key"] == "b"
    silence(Matcher(keys=("a",)), timedelta(0), "")
    assert run(2, to(ANN, BOB, **fields)) == [("firing", BOB)]
    assert [last_content()["json"][name] for name in ("count", "value")] == [1, 11]
    assert run(3, to(ANN, BOB, **fields)) == []


def test_a_new_recipient_of_an_alert_without_data_is_notified_when_it_fires_again():
    of = {"no_data_after": "0s"}
    assert run(0, to(ANN, **of)) == [("firing", ANN)]
    assert run(1, to(ANN, BOB, **of), None) == [("no_data", ANN)]
    assert run(2, to(ANN, BOB, **of)) == [("firing_again", ANN), ("firing_again", BOB)]


def test_a_new_recipient_of_a_flapping_alert_is_notified_that_it_flaps():
    for number, value in enumerate((11, 9, 11, 9, 11)):
        run(number, to(ANN, flapping_after=3), value)
    assert run(5, to(ANN, BOB, flapping_after=3)) == [("flapping", BOB)]


def test_a_new_incident_service_opens_the_incident():
    run(0, to(ANN))
    store(rule(sql=METRIC, channels=["pager"]))
    tick(1)
    content = last_content()
    assert (content["incident_action"], content["severity"]) == ("trigger", "critical")
    assert deliveries()[-1] == ("firing", "pager")


def test_alerts_from_before_are_not_notified_again():
    run(0, to(ANN))
    execute("update ops.alert_states set told_to = null")
    assert run(1, to(ANN)) == []
    assert query("select told_to::text from ops.alert_states") == [f'[["email", "{ANN}"]]']
