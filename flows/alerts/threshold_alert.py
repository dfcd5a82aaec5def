"""Alert people to a threshold that somebody else saw crossed.

Reads nothing but the event; writes the alert as a rule of kind ``event``, its state, history and
outbox. Repeating is safe: the same threshold (by id) is not told twice within its ``repeat_every``. If
the event brings its query, `process_pending_alerts` uses it to see when it is over.
"""

import math
from typing import Any

from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import THRESHOLD_EVENT
from analytics_worker.prefect_support.task import task
from flows.alerts.evaluation.results import EventResult, Verdict, event_result
from flows.alerts.evaluation.state_machine import Level
from flows.alerts.evaluation.transition import Given
from flows.alerts.rules.payloads import AlertRequestError, threshold_rule
from flows.alerts.tasks import deliver, evaluate_one, show_states

LEVELS: dict[str, Level] = {
    "warning": "warning",
    "critical": "critical",
    "ok": "ok",
    "normal": "ok",
    "resolved": "ok",
}

deliver_notices = task(**THRESHOLD_EVENT, name="deliver notices")(deliver)


@task(**THRESHOLD_EVENT, name="record threshold alert")
def record_threshold_alert(
    threshold_data: dict[str, Any], current_value: float, status: str
) -> Verdict:
    """Write the alert's state and its notices in one transaction."""
    identity, rule = threshold_rule(threshold_data)
    level = LEVELS.get(status.strip().lower())
    if level is None:
        raise AlertRequestError(f"status {status!r} is unknown{did_you_mean(status, LEVELS)}")
    value = None if math.isnan(current_value) else current_value
    return evaluate_one(identity, rule, Given(level, value))


@flow(timeout_seconds=120)
def create_threshold_alert(
    threshold_data: dict[str, Any], current_value: float, status: str
) -> EventResult:
    """Create the alert of a crossed threshold and notify its channels.

    Args:
        threshold_data: `id`, `metric_name`, `query`, `warning_threshold`, `critical_threshold`,
            `comparison_operator`, and `notification_channels` as for `trigger_alert`.
        current_value: The metric's value.
        status: `warning` or `critical`; `ok` says that it is over.
    """
    verdict = record_threshold_alert(threshold_data, current_value, status)
    result = event_result(verdict, deliver_notices(verdict["messages"]))
    show_states()
    return result
