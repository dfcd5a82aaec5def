"""A requested alert is evaluated once, however often its request runs."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from analytics_worker.settings import settings
from flows.alerts import create_threshold_alert, trigger_alert
from tests.flows.alerts.rules import METRIC, execute, last_content, query, set_metric
from tests.support.http_sink import HttpSink
from tests.support.request_runs import run_request

pytestmark = pytest.mark.usefixtures("prefect_api", "environment", "webhook")

ALERT = {"id": 7, "name": "Fell", "query": METRIC, "threshold": 10, "operator": ">"}
THRESHOLD = {
    "id": "m",
    "metric_name": "mrr",
    "warning_threshold": 10,
    "critical_threshold": 5,
    "comparison_operator": "<",
}


@pytest.fixture
def webhook(http_sink: HttpSink, monkeypatch: pytest.MonkeyPatch) -> HttpSink:
    monkeypatch.setenv("ALERT_WEBHOOK_URL", http_sink.url)
    settings.cache_clear()
    return http_sink


def kinds(sink: HttpSink) -> list[str]:
    return [posted.json["kind"] for posted in sink.requests]


def reported(value: float, status: str) -> dict[str, object]:
    return {"threshold_data": THRESHOLD, "current_value": value, "status": status}


def test_a_request_that_was_evaluated_is_not_evaluated_again(webhook: HttpSink):
    set_metric(11)
    first, state = run_request(trigger_alert, {"alert_data": ALERT})
    execute("delete from ops.alert_states")  # another evaluation would notify again
    _, again = run_request(trigger_alert, {"alert_data": ALERT}, repeats=(first, datetime.now(UTC)))
    assert (state.name, again.name) == ("Completed", "Completed")
    assert again.message == state.message == "Fell is firing at 11; 1 notification sent"
    assert kinds(webhook) == ["firing"]
    assert query("select count(*) from ops.alert_evaluations") == [1]


def test_a_request_whose_run_was_lost_before_its_evaluation_is_evaluated(webhook: HttpSink):
    set_metric(11)
    lost = (uuid4(), datetime.now(UTC))
    for _ in range(2):
        run_request(trigger_alert, {"alert_data": ALERT}, repeats=lost)
    assert kinds(webhook) == ["firing"]
    assert webhook.requests[0].json["missed_at"] is None
    assert query("select id, alert from ops.alert_requests") == [(lost[0], "alert:7")]


def test_a_late_evaluation_says_when_it_was_requested(webhook: HttpSink):
    requested_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    run_request(create_threshold_alert, reported(4, "critical"), repeats=(uuid4(), requested_at))
    assert datetime.fromisoformat(webhook.requests[0].json["missed_at"]) == requested_at
    assert "Evaluated late" in last_content()["text"]


def test_an_outdated_status_is_not_applied_after_a_newer_one(webhook: HttpSink):
    lost = (uuid4(), datetime.now(UTC) - timedelta(minutes=2))
    run_request(create_threshold_alert, reported(40, "ok"))
    _, state = run_request(create_threshold_alert, reported(4, "critical"), repeats=lost)
    assert state.name == "Completed"
    assert str(state.message).startswith("mrr is superseded by a newer request")
    assert kinds(webhook) == []
    assert query("select count(*) from ops.alert_evaluations") == [1]


def test_a_newer_request_of_another_alert_supersedes_nothing(webhook: HttpSink):
    lost = (uuid4(), datetime.now(UTC) - timedelta(minutes=2))
    run_request(create_threshold_alert, reported(40, "ok"))
    other = reported(4, "critical") | {"threshold_data": {**THRESHOLD, "id": "other"}}
    run_request(create_threshold_alert, other, repeats=lost)
    assert kinds(webhook) == ["firing"]


def test_an_invalid_request_is_stored_and_repeated_by_nothing():
    _, state = run_request(trigger_alert, {"alert_data": {**ALERT, "operator": "~"}})
    assert state.is_failed()
    assert state.state_details.retriable is False
    assert query("select count(*) from ops.alert_requests") == [0]
