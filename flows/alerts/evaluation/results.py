"""What the four flows report: their result types, and a run in one line.

Reads nothing, writes nothing. A run answers for its own notices; what else it sent is mentioned.
"""

import math
from collections.abc import Mapping
from typing import NotRequired, TypedDict

from analytics_worker.delivery.counts import CountName, DeliveryCounts
from analytics_worker.prefect_support.results import FlowResult, Status, outcome
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.evaluation.runner import Outcome
from flows.alerts.evaluation.transition import Failure

NOBODY = "nobody is notified: the rule has no channels, and no default channel is configured"

WAITING: dict[CountName, str] = {
    "retrying": "will be retried",
    "not_configured": "waiting for configuration",
    "paused": "waiting for a paused channel",
    "circuit_open": "waiting for an unavailable channel",
}


class OwnNotices(TypedDict):
    """Deliveries of the run's own notices, by what happened to them."""

    sent: int
    waiting: int
    failed: int


class Evaluated(TypedDict):
    """What the evaluation of the due rules came to."""

    summary: dict[str, int]
    messages: list[str]


class Sending(TypedDict):
    """What a run's sender did."""

    own: OwnNotices
    delivery: DeliveryCounts
    """Everything that was due, also what earlier runs left."""


class Processing(FlowResult):
    """What the two scheduled flows report."""

    summary: dict[str, int]
    """Rules evaluated, with errors, firing, untold; notices; deliveries put into the outbox."""
    own: OwnNotices
    delivery: DeliveryCounts
    other_delivery: NotRequired[DeliveryCounts]
    """Of the other domains."""


class Verdict(TypedDict):
    """What one alert came to."""

    alert: str
    state: str
    severity: str | None
    value: float | None
    notices: int
    deliveries: int
    untold: bool
    error: str | None
    messages: list[str]


class EventResult(FlowResult):
    """What the two event-driven flows report."""

    triggered: bool
    """Whether the alert is firing now."""
    alert: Verdict
    own: OwnNotices
    delivery: DeliveryCounts


def verdict(name: str, done: Outcome) -> Verdict:
    """Return what one alert came to, as JSON can hold it."""
    value = done.after.value
    return Verdict(
        alert=name,
        state=done.after.status,
        severity=done.after.severity,
        value=value if value is None or math.isfinite(value) else None,
        notices=len(done.after.notices),
        deliveries=done.deliveries,
        untold=done.untold,
        error=done.found.message if isinstance(done.found, Failure) else None,
        messages=[str(each) for each in done.messages],
    )


def event_result(verdict: Verdict, sending: Sending) -> EventResult:
    """Report failed if the alert could not be evaluated; partial if a notice was given up."""
    shown = f"{verdict['alert']} is {verdict['state']}"
    if verdict["value"] is not None:
        shown += f" at {number_text(verdict['value'])}"
    untold = f"; {NOBODY}" if verdict["untold"] else ""
    message = verdict["error"] or f"{shown}{untold}; {sent(sending)}"
    failed = "failed" if verdict["error"] else "partial" if not_delivered(sending) else "success"
    return EventResult(
        **outcome(failed, message, error=verdict["error"]),
        triggered=verdict["state"] == "firing",
        alert=verdict,
        own=sending["own"],
        delivery=sending["delivery"],
    )


def processing(
    summary: dict[str, int], sending: Sending, others: DeliveryCounts | None = None
) -> Processing:
    """Report on a scheduled run."""
    common = outcome(status(summary, sending, others), sentence(summary, sending, others))
    result = Processing(**common, summary=summary, own=sending["own"], delivery=sending["delivery"])
    if others is not None:
        result["other_delivery"] = others
    return result


def not_delivered(sending: Sending, others: DeliveryCounts | None = None) -> bool:
    """Return whether an own notice was given up, or nobody could be notified of any message."""
    unheard = sending["delivery"]["unheard"] + (others["unheard"] if others else 0)
    return sending["own"]["failed"] > 0 or unheard > 0


def status(
    summary: Mapping[str, int], sending: Sending, others: DeliveryCounts | None = None
) -> Status:
    """Return the status: not green if a rule could not be evaluated or a notice was given up."""
    if summary["errors"] or not_delivered(sending, others):
        return "failed" if summary["errors"] == summary["evaluated"] > 0 else "partial"
    return "success"


def sentence(
    summary: Mapping[str, int], sending: Sending, others: DeliveryCounts | None = None
) -> str:
    """Return the run in one line."""
    parts = [f"{summary['evaluated']} rules evaluated", f"{summary['firing']} firing"]
    parts += [f"{summary['untold']} untold (no recipients)"] if summary["untold"] else []
    parts += [f"{summary['errors']} can't be evaluated"] if summary["errors"] else []
    parts += [f"{summary['postponed']} left for the next run"] if summary["postponed"] else []
    return ", ".join([*parts, sent(sending, others)])


def sent(sending: Sending, others: DeliveryCounts | None = None) -> str:
    """Return what happened to the run's own notices, and what else was sent or still waits."""
    own, counts = sending["own"], sending["delivery"]
    earlier = max(0, counts["sent"] + counts["digested"] - own["sent"])
    parts = [f"{own['sent']} notices sent"]
    parts += [f"{own['failed']} failed"] if own["failed"] else []
    parts += [f"{counts[name]} {words}" for name, words in WAITING.items() if counts[name]]
    parts += [f"{earlier} earlier notices sent"] if earlier else []
    parts += [f"{others['sent']} other messages sent"] if others and others["sent"] else []
    unheard = counts["unheard"] + (others["unheard"] if others else 0)
    parts += [f"{unheard} failed with nobody left to notify"] if unheard else []
    return ", ".join(parts)
