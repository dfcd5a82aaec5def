"""History ends: what is older than its retention goes, what somebody still waits for stays."""

import pytest

from analytics_worker.settings import settings
from flows.alerts.tasks import prune
from tests.flows.alerts.rules import execute, query, rule, store, tick, told

pytestmark = pytest.mark.usefixtures("environment")


@pytest.fixture(autouse=True)
def _three_days(monkeypatch):
    monkeypatch.setenv("ALERT_HISTORY_RETENTION_DAYS", "3")
    settings.cache_clear()


def age(table: str, column: str, where: str = "true") -> None:
    execute(f"update ops.{table} set {column} = now() - interval '4 days' where {where}")


def count(table: str) -> int:
    (found,) = query(f"select count(*) from ops.{table}")
    return found


def test_old_evaluations_and_sent_notices_go_and_states_stay():
    store(rule())
    tick(0)
    tick(1)
    execute("update ops.alert_evaluations set evaluated_at = now()")
    age("alert_evaluations", "evaluated_at", "slot = (select min(slot) from ops.alert_evaluations)")
    age("alert_events", "created_at")
    age("messages", "created_at")
    execute("update ops.deliveries set status = 'sent'")
    prune()
    counts = [
        count(name) for name in ("alert_evaluations", "alert_events", "messages", "deliveries")
    ]
    assert counts == [1, 0, 0, 0]
    assert query("select status, told from ops.alert_states") == [("firing", "critical")]


def test_a_notice_that_is_not_delivered_yet_stays():
    store(rule())
    tick(0)
    age("alert_events", "created_at")
    age("messages", "created_at")
    prune()
    assert count("alert_events") == 1
    assert told() == [("firing", "webhook")]


def test_rules_that_left_their_file_go_with_their_history_and_others_stay():
    store(rule("old"), rule("kept"))
    tick(0)
    store(rule("kept"))
    for column in ("updated_at", "evaluated_at"):
        age("alert_rules", column)
    prune()
    assert query("select name from ops.alert_rules") == ["kept"]
    assert query("select name from ops.alert_status") == ["kept"]
