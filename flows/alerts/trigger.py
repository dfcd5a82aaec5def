"""Evaluate one alert that an event or another program requests, and send its notifications.

Reads what its SQL reads; writes the alert as a rule of kind ``event``, its state, history and outbox.
Safe to repeat: a request is evaluated once, and the same alert (by id) is notified once within its
``repeat_every``. While it fires, `process_pending_alerts` evaluates it, so that its resolution is notified, too.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.parameter_forms import FormOf
from analytics_worker.prefect_support.retries import ALERT_EVENT
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.flow_results import (
    AlertResult,
    EventResult,
    event_outcome,
    event_result,
)
from flows.alerts.evaluation.requests import evaluate_request
from flows.alerts.rules.forms import AlertForm
from flows.alerts.rules.payloads import parse_alert
from flows.alerts.tasks import deliver, publish_states

deliver_notifications = task(**ALERT_EVENT, name="deliver notifications")(deliver)


@task(**ALERT_EVENT, name="evaluate alert")
def evaluate_alert(alert_data: dict[str, Any]) -> AlertResult:
    """Evaluate the alert now, and enqueue its notifications."""
    identity, rule = parse_alert(alert_data)
    return evaluate_request(identity, rule)


def _run_name(parameters: Mapping[str, Any], _due: datetime) -> str:
    data = parameters["alert_data"]
    return f"alert: {data.get('name') or data['id']}"


@flow(timeout_seconds=120, run_name=_run_name, outcome=event_outcome)
def trigger_alert(alert_data: Annotated[dict[str, Any], FormOf(AlertForm)]) -> EventResult:
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
