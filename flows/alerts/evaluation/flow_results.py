"""Define the results of the four alert flows, and summarize a run in one line.

Reads nothing, writes nothing. The status of a run depends on its own notifications; other messages that
it sent are only counted.
"""

from collections.abc import Mapping
from typing import NotRequired, TypedDict

from analytics_worker.delivery.counts import CountName, DeliveryCounts
from analytics_worker.prefect_support.results import FlowResult, Status, flow_result
from analytics_worker.presentation.exact_numbers import json_number
from analytics_worker.text import counted
from flows.alerts.evaluation.observation import Failure
from flows.alerts.evaluation.runner import EventEvaluation
from flows.alerts.notifications.values import value_text
from flows.alerts.rules.model import Rule

NO_RECIPIENTS = "not notified: the rule has no channels, and no default channel is configured"

WAITING_LABELS: dict[CountName, str] = {
    "retrying": "will be retried",
    "not_configured": "waiting for configuration",
    "paused": "waiting for a paused channel",
    "circuit_open": "waiting for an unavailable channel",
}


class OwnDeliveries(TypedDict):
    """Deliveries of the run's own notifications, by status."""

    sent: int
    waiting: int
    failed: int


class EvaluationSummary(TypedDict):
    """Result of the evaluation task of a scheduled flow."""

    summary: dict[str, int]
    messages: list[str]


class DeliverySummary(TypedDict):
    """Result of the delivery task."""

    own: OwnDeliveries
    delivery: DeliveryCounts
    """All due deliveries, including those of earlier runs."""


class ScheduledResult(FlowResult):
    """Result of the two scheduled flows."""

    summary: dict[str, int]
    """Rules evaluated, with errors, firing, not notified (``untold``), waiting for data of their period (``incomplete``); notifications (``notices``); deliveries enqueued."""
    own: OwnDeliveries
    delivery: DeliveryCounts
    other_delivery: NotRequired[DeliveryCounts]
    """Deliveries of the other domains."""


class AlertResult(TypedDict):
    """Result of the evaluation of one alert."""

    alert: str
    state: str
    severity: str | None
    value: float | str | None
    """The number; as text if double precision has not all its digits. None if it is infinite."""
    value_text: str | None
    notices: int
    deliveries: int
    untold: bool
    error: str | None
    messages: list[str]


class EventResult(FlowResult):
    """Result of the two event-driven flows."""

    triggered: bool
    """Whether the alert is firing now."""
    alert: AlertResult
    own: OwnDeliveries
    delivery: DeliveryCounts


def alert_result(rule: Rule, evaluation: EventEvaluation) -> AlertResult:
    """Return the result of one alert as JSON-compatible values."""
    result, observation = evaluation.result, evaluation.observation
    value = result.value
    return AlertResult(
        alert=rule.name,
        state=result.status,
        severity=result.severity,
        value=json_number(value) if value is not None and value.is_finite() else None,
        value_text=None if value is None else value_text(rule, value),
        notices=len(result.notifications),
        deliveries=evaluation.deliveries,
        untold=evaluation.unnotified,
        error=observation.message if isinstance(observation, Failure) else None,
        messages=[str(each) for each in evaluation.message_ids],
    )


def superseded_result(rule: Rule) -> AlertResult:
    """Return the result of an alert that was not evaluated, because a newer request of it was."""
    return AlertResult(
        alert=rule.name,
        state="superseded by a newer request",
        severity=None,
        value=None,
        value_text=None,
        notices=0,
        deliveries=0,
        untold=False,
        error=None,
        messages=[],
    )


def event_result(alert: AlertResult, deliveries: DeliverySummary) -> EventResult:
    """Return failed if the alert can't be evaluated, partial if a notification failed."""
    text = f"{alert['alert']} is {alert['state']}"
    if alert["value_text"] is not None:
        text += f" at {alert['value_text']}"
    if alert["untold"]:
        text += f"; {NO_RECIPIENTS}"
    message = alert["error"] or f"{text}; {delivery_line(deliveries)}"
    status = "failed" if alert["error"] else "partial" if has_undelivered(deliveries) else "success"
    return EventResult(
        **flow_result(status, message, error=alert["error"]),
        triggered=alert["state"] == "firing",
        alert=alert,
        own=deliveries["own"],
        delivery=deliveries["delivery"],
    )


def scheduled_result(
    summary: dict[str, int], deliveries: DeliverySummary, others: DeliveryCounts | None = None
) -> ScheduledResult:
    """Return the result of a scheduled run."""
    result = ScheduledResult(
        **flow_result(_status(summary, deliveries, others), _message(summary, deliveries, others)),
        summary=summary,
        own=deliveries["own"],
        delivery=deliveries["delivery"],
    )
    if others is not None:
        result["other_delivery"] = others
    return result


def has_undelivered(deliveries: DeliverySummary, others: DeliveryCounts | None = None) -> bool:
    """Return whether an own notification failed, or a failed message has no one left to notify."""
    return deliveries["own"]["failed"] > 0 or _unreported(deliveries, others) > 0


def _unreported(deliveries: DeliverySummary, others: DeliveryCounts | None) -> int:
    """Return the number of failed messages without a notification to an owner or another recipient."""
    return deliveries["delivery"]["unheard"] + (others["unheard"] if others else 0)


def _status(
    summary: Mapping[str, int], deliveries: DeliverySummary, others: DeliveryCounts | None
) -> Status:
    """Return success only if all rules were evaluated and no notification failed."""
    if summary["errors"] or has_undelivered(deliveries, others):
        return "failed" if summary["errors"] == summary["evaluated"] > 0 else "partial"
    return "success"


def _message(
    summary: Mapping[str, int], deliveries: DeliverySummary, others: DeliveryCounts | None
) -> str:
    parts = [f"{counted(summary['evaluated'], 'rule')} evaluated", f"{summary['firing']} firing"]
    parts += [f"{summary['untold']} not notified (no recipients)"] if summary["untold"] else []
    parts += [f"{summary['errors']} failed"] if summary["errors"] else []
    parts += [f"{summary['postponed']} postponed to the next run"] if summary["postponed"] else []
    parts += [f"{summary['incomplete']} waiting for data"] if summary["incomplete"] else []
    return ", ".join([*parts, delivery_line(deliveries, others)])


def delivery_line(deliveries: DeliverySummary, others: DeliveryCounts | None = None) -> str:
    """Summarize the deliveries of the run's own notifications and of other messages."""
    own, counts = deliveries["own"], deliveries["delivery"]
    earlier = max(0, counts["sent"] + counts["digested"] - own["sent"])
    grouped = own["waiting"] - sum(counts[name] for name in WAITING_LABELS)
    unreported = _unreported(deliveries, others)
    parts = [f"{counted(own['sent'], 'notification')} sent"]
    parts += [f"{counted(own['failed'], 'notification')} failed"] if own["failed"] else []
    parts += [f"{counts[name]} {label}" for name, label in WAITING_LABELS.items() if counts[name]]
    parts += [f"{grouped} waiting for those of other rules"] if grouped > 0 else []
    parts += [f"{counted(earlier, 'earlier notification')} sent"] if earlier else []
    parts += (
        [f"{counted(others['sent'], 'other message')} sent"] if others and others["sent"] else []
    )
    parts += [f"{unreported} failed without a recipient to notify"] if unreported else []
    return ", ".join(parts)


def scheduled_outcome(result: ScheduledResult) -> str | None:
    """Return ``2 firing of 34`` for the name of the run; None if nothing fires and nothing failed."""
    summary = result["summary"]
    labels = (("firing", "firing"), ("errors", "failed"))
    parts = [f"{summary[key]} {label}" for key, label in labels if summary[key]]
    return ", ".join([f"{parts[0]} of {summary['evaluated']}", *parts[1:]]) if parts else None


def event_outcome(result: EventResult) -> str:
    """Return the state of the alert, for the name of the run."""
    return result["alert"]["state"]
