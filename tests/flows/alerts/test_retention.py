"""Retention: old history is deleted; states and undelivered notifications are kept."""

import pytest

from analytics_worker.settings import settings
from flows.alerts.tasks import prune
from tests.flows.alerts.rules import deliveries, execute, query, rule, store, tick

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture(autouse=True)
def _three_days(monkeypatch):
    monkeypatch.setenv("ALERT_HISTORY_RETENTION_DAYS", "3")
    settings.cache_clear()


def make_old(table: str, column: str, where: str = "true") -> None:
    execute(f"update ops.{table} set {column} = now() - interval '4 days' where {where}")


def count(table: str) -> int:
    (rows,) = query(f"select count(*) from ops.{table}")
    return rows


def test_old_evaluations_and_sent_notifications_are_deleted_and_states_kept():
    store(rule())
    tick(0)
    tick(1)
    execute("update ops.alert_evaluations set evaluated_at = now()")
    make_old(
        "alert_evaluations", "evaluated_at", "slot = (select min(slot) from ops.alert_evaluations)"
    )
    make_old("alert_events", "created_at")
    make_old("messages", "created_at")
    execute("update ops.deliveries set status = 'sent'")
    prune()
    counts = [
        count(name) for name in ("alert_evaluations", "alert_events", "messages", "deliveries")
    ]
    assert counts == [1, 0, 0, 0]
    assert query("select status, told from ops.alert_states") == [("firing", "critical")]


def test_an_undelivered_notification_is_kept():
    store(rule())
    tick(0)
    make_old("alert_events", "created_at")
    make_old("messages", "created_at")
    prune()
    assert count("alert_events") == 1
    assert deliveries() == [("firing", "webhook")]


def test_retired_rules_are_deleted_with_their_history_and_others_kept():
    store(rule("old"), rule("kept"))
    tick(0)
    store(rule("kept"))
    for column in ("updated_at", "evaluated_at"):
        make_old("alert_rules", column)
    prune()
    assert query("select name from ops.alert_rules") == ["kept"]
    assert query("select name from ops.alert_status") == ["kept"]
