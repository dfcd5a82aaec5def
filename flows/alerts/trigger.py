"""Evaluate one alert that an event or another program requests, and send its notifications.

Reads what its SQL reads; writes the alert as a rule of kind ``event``, its state, history and outbox.
Safe to repeat: a request is evaluated once, and the same alert (by id) is notified once within its
``repeat_every``. While it fires, `process_pending_alerts` evaluates it, so that its resolution is notified, too.
"""

from typing import Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import ALERT_EVENT
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.flow_results import AlertResult, EventResult, event_result
from flows.alerts.evaluation.requests import evaluate_request
from flows.alerts.rules.payloads import parse_alert
from flows.alerts.tasks import deliver, publish_states

deliver_notifications = task(**ALERT_EVENT, name="deliver notifications")(deliver)


@task(**ALERT_EVENT, name="evaluate alert")
def evaluate_alert(alert_data: dict[str, Any]) -> AlertResult:
    """Evaluate the alert now, and enqueue its notifications."""
    identity, rule = parse_alert(alert_data)
    return evaluate_request(identity, rule)


@flow(timeout_seconds=120)
def trigger_alert(alert_data: dict[str, Any]) -> EventResult:
    """Evaluate an alert and notify its channels if its condition is met.

    Args:
        alert_data: `id`, `name`, `query` (one SELECT), `threshold`, `operator` and
            `notification_channels`, a list such as `[{"type": "email", "to": ["ops@example.com"]},
            {"type": "webhook", "block": "ops-hook"}]`; without channels, the default ones. Keys of a
            rule in definitions/alerts.yml (`reduce`, `parameters`, `repeat_every`, …) are accepted, too.
    """
    alert = evaluate_alert(alert_data)
    result = event_result(alert, deliver_notifications(alert["messages"]))
    publish_states()
    return result
