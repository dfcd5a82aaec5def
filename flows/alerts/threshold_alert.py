"""Notify of a crossed threshold that an event reports.

Reads only the event; writes the alert as a rule of kind ``event``, its state, history and outbox. Safe
to repeat: a request is evaluated once, and the same threshold (by id) is notified once within its
``repeat_every``. If the event has a query, `process_pending_alerts` evaluates it to detect when the alert resolves.
"""

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from analytics_worker.definitions.request_problems import RequestProblems
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.parameter_forms import FormOf
from analytics_worker.prefect_support.retries import THRESHOLD_EVENT
from analytics_worker.prefect_support.task import task
from analytics_worker.presentation.exact_numbers import decimal_of
from flows.alerts.evaluation.flow_results import (
    AlertResult,
    EventResult,
    event_outcome,
    event_result,
)
from flows.alerts.evaluation.observation import ReportedStatus
from flows.alerts.evaluation.requests import evaluate_request
from flows.alerts.evaluation.state_machine import Classification
from flows.alerts.rules.forms import Status, ThresholdForm
from flows.alerts.rules.model import Rule
from flows.alerts.rules.payloads import AlertRequestError, parse_threshold
from flows.alerts.tasks import deliver, publish_states

STATUSES: dict[str, Classification] = {
    "warning": "warning",
    "critical": "critical",
    "ok": "ok",
    "normal": "ok",
    "resolved": "ok",
}

deliver_notifications = task(**THRESHOLD_EVENT, name="deliver notifications")(deliver)


@task(**THRESHOLD_EVENT, name="record threshold alert")
def record_threshold_alert(
    threshold_data: dict[str, Any], current_value: float, status: str
) -> AlertResult:
    """Write the state of the alert and its notifications in one transaction."""
    problems = RequestProblems(AlertRequestError)
    parsed = problems.checked("threshold_data", parse_threshold, threshold_data)
    classification = problems.checked("status", _classification, status)
    problems.raise_any()
    identity, rule = cast("tuple[str, Rule]", parsed)
    value = None if math.isnan(current_value) else decimal_of(current_value)
    return evaluate_request(
        identity, rule, ReportedStatus(cast("Classification", classification), value)
    )


def _classification(status: str) -> Classification:
    classification = STATUSES.get(status.strip().lower())
    if classification is None:
        raise AlertRequestError(f"{status!r} is not a valid status{did_you_mean(status, STATUSES)}")
    return classification


def _run_name(parameters: Mapping[str, Any], _due: datetime) -> str:
    data = parameters["threshold_data"]
    return f"threshold: {data.get('metric_name') or data.get('name') or data['id']}"


@flow(timeout_seconds=120, run_name=_run_name, outcome=event_outcome)
def create_threshold_alert(
    threshold_data: Annotated[dict[str, Any], FormOf(ThresholdForm)],
    current_value: float,
    status: Status,
) -> EventResult:
    """Create the alert of a crossed threshold and notify its channels.

    Args:
        threshold_data: `id`, `metric_name`, `query`, `warning_threshold`, `critical_threshold`,
            `comparison_operator`, and `notification_channels` as for `trigger_alert`.
        current_value: The value of the metric.
        status: `warning` or `critical`; `ok` resolves the alert.
    """
    alert = record_threshold_alert(threshold_data, current_value, status)
    result = event_result(alert, deliver_notifications(alert["messages"]))
    publish_states()
    return result
