"""State machine of one alert: its current state, and what recipients have been notified of.

Reads nothing, writes nothing. Every function maps a state, a classification and a time to the next
state. `update_state` changes the current state after each evaluation. `next_notification` compares it
with the notified severity and decides whether a notification is due. A silence skips only
`next_notification`: a notification that is still due is sent when the silence ends, and a resolved
notification only follows a firing one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from flows.alerts.evaluation.conditions import meets, worst_value
from flows.alerts.rules.model import SEVERITY_RANK, Rule, Severity

Status = Literal["unknown", "ok", "pending", "firing", "no_data"]
Classification = Severity | Literal["ok", "no_data", "keep_last"]
"""Result of a comparison: the severity whose condition is met, ok, no data, or state unchanged."""

NotificationKind = Literal["firing", "still_firing", "resolved", "no_data", "flapping"]
FLAPPING_PERIOD = timedelta(hours=1)


class AlertState(NamedTuple):
    """State of one alert, or of one key of a rule with keys; stored in ops.alert_states."""

    since: datetime
    status: Status = "unknown"
    severity: Severity | None = None
    value: float | None = None
    sample: float | None = None
    worst_value: float | None = None
    pending_since: datetime | None = None
    firing_since: datetime | None = None
    empty_since: datetime | None = None
    notified_severity: Severity | None = None
    notified_at: datetime | None = None
    changes: tuple[datetime, ...] = ()
    flapping_since: datetime | None = None

    @property
    def is_notified(self) -> bool:
        """Whether recipients have been notified that the alert is firing or flapping."""
        return self.notified_severity is not None or self.flapping_since is not None


States = Mapping[str, AlertState]


@dataclass(frozen=True)
class RuleHealth:
    """Whether a rule can be evaluated, and whether its owner has been notified that it can't."""

    error: str | None = None
    since: datetime | None = None
    notified: bool = False


def classify(rule: Rule, state: AlertState, value: float | None) -> Classification:
    """Compare a value with the bounds; a firing alert stays firing up to its recovery bound."""
    if value is None:
        return rule.highest_severity if rule.on_empty == "alert" else rule.on_empty
    for severity, bound in rule.bounds.items():
        if meets(value, rule.operator, bound):
            return severity
    holds = rule.recovery is not None and meets(value, rule.operator, rule.recovery)
    if state.status == "firing" and holds:
        return next(reversed(rule.bounds))
    return "ok"


def update_state(
    rule: Rule,
    state: AlertState,
    classification: Classification,
    value: float | None,
    now: datetime,
) -> AlertState:
    """Return the state after one evaluation."""
    recent = tuple(at for at in state.changes if now - at < FLAPPING_PERIOD)
    state = state._replace(value=value, changes=recent)
    match classification:
        case "keep_last":
            return state
        case "ok":
            return _to_ok(state, now)
        case "no_data":
            return _to_no_data(rule, state, now)
        case _:
            return _to_breached(rule, state, classification, now)


def _with_status(state: AlertState, status: Status, now: datetime) -> AlertState:
    return state if state.status == status else state._replace(status=status, since=now)


def _to_ok(state: AlertState, now: datetime) -> AlertState:
    """Resolve the alert; keep start and worst value until the resolved notification is written."""
    ended = (now,) if state.status == "firing" else ()
    state = state._replace(
        severity=None,
        pending_since=None,
        empty_since=None,
        changes=state.changes + ended,
        firing_since=state.firing_since if state.is_notified else None,
        worst_value=state.worst_value if state.is_notified else None,
    )
    return _with_status(state, "ok", now)


def _to_no_data(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """Keep an alert firing until ``no_data_after``: missing data does not resolve it."""
    empty_since = state.empty_since or now
    state = state._replace(empty_since=empty_since, pending_since=None)
    if state.status == "firing" and now - empty_since < rule.no_data_after:
        return state
    return _with_status(state._replace(severity=None), "no_data", now)


def _to_breached(rule: Rule, state: AlertState, severity: Severity, now: datetime) -> AlertState:
    """Move the alert to pending or firing."""
    worst = worst_value(rule, [state.value, state.worst_value])
    was_firing = state.status == "firing" or (state.status == "no_data" and state.firing_since)
    state = state._replace(severity=severity, empty_since=None)
    if was_firing:
        return _with_status(state._replace(worst_value=worst), "firing", now)
    pending_since = state.pending_since if state.status == "pending" else now
    state = state._replace(pending_since=pending_since)
    if not has_elapsed(rule, rule.pending_period, pending_since or now, now):
        return _with_status(state, "pending", now)
    state = state._replace(
        pending_since=None,
        firing_since=(state.is_notified and state.firing_since) or now,
        worst_value=worst if state.is_notified else state.value,
        changes=(*state.changes, now),
    )
    return _with_status(state, "firing", now)


def schedule_tolerance(rule: Rule, duration: timedelta) -> timedelta:
    """Return how early a run may start, so that schedule jitter does not cost a whole period."""
    return min(rule.every, duration) / 4


def has_elapsed(rule: Rule, duration: timedelta, since: datetime, now: datetime) -> bool:
    """Return whether a duration has elapsed, within the schedule tolerance."""
    return (
        now - since >= duration - schedule_tolerance(rule, duration)
        if now != since
        else not duration
    )


def next_notification(
    rule: Rule, before: AlertState, state: AlertState, now: datetime
) -> tuple[AlertState, NotificationKind | None]:
    """Return the kind of notification that is due, if any, and the state once it is written."""
    limit = rule.flapping_after
    if state.flapping_since is not None:
        still_flapping = limit is not None and len(state.changes) > limit // 2
        return (state, None) if still_flapping else _after_flapping(state, now)
    if limit is not None and len(state.changes) > limit:
        return _to_flapping(rule, state, now), "flapping"
    if state.status == "firing":
        return _firing_notification(rule, state, now)
    return _end_notification(before, state, now)


def _firing_notification(
    rule: Rule, state: AlertState, now: datetime
) -> tuple[AlertState, NotificationKind | None]:
    if SEVERITY_RANK[state.severity] > SEVERITY_RANK[state.notified_severity]:
        return state._replace(notified_severity=state.severity, notified_at=now), "firing"
    if rule.repeat_every and state.notified_at and due_repeats(rule, state.notified_at, now):
        return record_repeat(rule, state, now), "still_firing"
    return state, None


def _end_notification(
    before: AlertState, state: AlertState, now: datetime
) -> tuple[AlertState, NotificationKind | None]:
    """Return resolved or no data, if recipients were notified that the alert is firing."""
    if state.notified_severity is None:
        return state, None
    if state.status == "ok":
        return state._replace(notified_severity=None, notified_at=now), "resolved"
    lost_data = (before.status, state.status) == ("firing", "no_data")
    return state, "no_data" if lost_data else None


def due_repeats(rule: Rule, notified_at: datetime, now: datetime) -> int:
    """Return how many repeats have become due since the last notification."""
    period = rule.repeat_every
    return (now - notified_at + schedule_tolerance(rule, period)) // period if period else 0


def record_repeat(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """Return the state after a repeat, with the time at which it was due, so that repeats don't drift.

    A late repeat, after a silence or an outage, restarts the period.
    """
    notified_at, period = state.notified_at or now, rule.repeat_every or timedelta(0)
    due = notified_at + due_repeats(rule, notified_at, now) * period
    is_late = now - due > min(rule.every, period / 4)
    return state._replace(notified_at=now if is_late else due)


def _to_flapping(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    return state._replace(
        flapping_since=now,
        firing_since=state.firing_since or state.changes[0],
        notified_severity=state.notified_severity or state.severity or rule.highest_severity,
        notified_at=now,
    )


def _after_flapping(state: AlertState, now: datetime) -> tuple[AlertState, NotificationKind | None]:
    """End flapping with a notification of the current status."""
    state = state._replace(flapping_since=None, notified_at=now)
    if state.status == "firing":
        return state._replace(notified_severity=state.severity), "firing"
    return state._replace(notified_severity=None), "resolved" if state.status == "ok" else "no_data"
