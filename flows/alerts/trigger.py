"""Evaluate one alert that an event or another program asks for, and send its notices.

Reads whatever its SQL reads; writes the alert as a rule of kind ``event``, its state, history and
outbox. Repeating is safe: the same alert (by id) is not told twice within its ``repeat_every``. While it
fires, `process_pending_alerts` looks after it, so that people hear when it is over.
"""

from typing import Any

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import ALERT_EVENT
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.results import EventResult, Verdict, event_result
from flows.alerts.rules.payloads import alert_rule
from flows.alerts.tasks import deliver, evaluate_one, show_states

deliver_notices = task(**ALERT_EVENT, name="deliver notices")(deliver)


@task(**ALERT_EVENT, name="evaluate alert")
def evaluate_alert(alert_data: dict[str, Any]) -> Verdict:
    """Evaluate the alert now, and write its notices into the outbox."""
    identity, rule = alert_rule(alert_data)
    return evaluate_one(identity, rule)


@flow(timeout_seconds=120)
def trigger_alert(alert_data: dict[str, Any]) -> EventResult:
    """Evaluate an alert and notify its channels if its condition is met.

    Args:
        alert_data: `id`, `name`, `query` (one SELECT), `threshold`, `operator` and
            `notification_channels`, a list such as `[{"type": "email", "to": ["ops@example.com"]},
            {"type": "webhook", "block": "ops-hook"}]`; without channels, the default ones. Keys of a
            rule in definitions/alerts.yml (`reduce`, `parameters`, `repeat_every`, …) work, too.
    """
    verdict = evaluate_alert(alert_data)
    result = event_result(verdict, deliver_notices(verdict["messages"]))
    show_states()
    return result
