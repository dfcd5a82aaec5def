"""`alerts status` says which channels did not deliver the last notification of an alert."""

import pytest

from analytics_worker.delivery import deliver_due
from analytics_worker.settings import settings
from flows.alerts.tools.states import shown_states
from tests.flows.alerts.rules import METRIC, rule, set_metric, store, tick
from tests.support.sql import execute

pytestmark = pytest.mark.usefixtures("environment", "default_channels")

BOTH = ["webhook", {"email": ["ann@example.com"]}]


def notified() -> dict[str, str]:
    return {row.get("key") or row["rule"]: row["notified"] for row in shown_states().rows}


def test_a_notification_that_is_refused_or_waits_is_not_shown_as_delivered(monkeypatch, http_sink):
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "")
    settings.cache_clear()
    set_metric(11)
    store(rule("r", METRIC, channels=BOTH))
    tick(0)
    assert notified() == {"r": "critical, not delivered to email (waiting), webhook (waiting)"}
    assert deliver_due("alerts")["not_configured"] == 1
    assert notified() == {"r": "critical, not delivered to webhook (waiting)"}
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    settings.cache_clear()
    execute("update ops.deliveries set next_attempt_at = now()")
    deliver_due("alerts")
    assert (notified(), len(http_sink.requests)) == ({"r": "critical"}, 1)


def test_a_notification_that_failed_is_named_until_a_later_one_arrives(http_sink):
    http_sink.answer(400, times=1)
    set_metric(11)
    store(rule("r", METRIC, owner=None, repeat_every="4m"))
    tick(0)
    deliver_due("alerts")
    assert notified() == {"r": "critical, not delivered to webhook (failed)"}
    tick(2)
    deliver_due("alerts")
    assert notified() == {"r": "critical"}


def test_only_the_keys_of_an_undelivered_message_are_marked(http_sink):
    http_sink.answer(400, times=1)
    sql = "select * from (values ('a', 11), ('b', 12)) as t (team, value)"
    store(rule("r", sql, key_columns=["team"], group_by=["team"], owner=None))
    tick(0)
    deliver_due("alerts")
    assert sorted(notified().values()) == [
        "critical",
        "critical, not delivered to webhook (failed)",
    ]
    execute("update ops.alert_rules set definition = '{}'")
    assert set(notified().values()) == {"critical, not delivered to webhook (failed)"}
