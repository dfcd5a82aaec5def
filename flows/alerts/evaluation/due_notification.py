"""Decide which notification of an alert is due, from its state and what recipients know.

Reads nothing, writes nothing. `next_notification` compares the current state with the notified severity.
A silence skips only this step: a notification that is still due is sent when the silence ends, and a
resolved notification only follows a firing one.
"""

from datetime import datetime, timedelta
from typing import Literal

from flows.alerts.evaluation.state_machine import FLAPPING_PERIOD, AlertState, schedule_tolerance
from flows.alerts.rules.model import SEVERITY_RANK, Rule, highest_severity

NotificationKind = Literal[
    "firing", "firing_again", "still_firing", "resolved", "no_data", "flapping"
]
DueNotification = tuple[AlertState, NotificationKind | None]
"""The state once the notification is written, and its kind; None if none is due."""


def next_notification(rule: Rule, state: AlertState, now: datetime) -> DueNotification:
    """Return the kind of notification that is due, if any, and the state once it is written."""
    limit = rule.flapping_after
    if state.flapping_since is not None:
        return _flapping_notification(limit, state, now)
    if limit is not None and len(state.changes) > limit:
        return _to_flapping(rule, state, now), "flapping"
    if state.status == "firing":
        return _firing_notification(rule, state, now)
    return _end_notification(state, now)


def _has_risen(state: AlertState) -> bool:
    """Return whether the severity is above the one that recipients were notified of."""
    return SEVERITY_RANK[state.severity] > SEVERITY_RANK[state.notified_severity]


def _firing_notification(rule: Rule, state: AlertState, now: datetime) -> DueNotification:
    """Return firing for each rise of the severity, firing again after no data, or a repeat.

    A fall of the severity is not notified. It lowers the notified severity, so that the next rise is.
    """
    has_risen, was_lost = _has_risen(state), state.no_data_notified
    state = state._replace(notified_severity=state.severity, no_data_notified=False)
    if has_risen or was_lost:
        return state._replace(notified_at=now), "firing" if has_risen else "firing_again"
    if rule.repeat_every and state.notified_at and due_repeats(rule, state.notified_at, now):
        return record_repeat(rule, state, now), "still_firing"
    return state, None


def _end_notification(state: AlertState, now: datetime) -> DueNotification:
    """Return resolved or no data, if recipients were notified that the alert is firing."""
    if state.notified_severity is None:
        return state, None
    if state.status == "ok":
        notified = state._replace(notified_severity=None, notified_at=now, no_data_notified=False)
        return notified, "resolved"
    if state.status == "no_data" and not state.no_data_notified:
        return state._replace(no_data_notified=True), "no_data"
    return state, None


def due_repeats(rule: Rule, notified_at: datetime, now: datetime) -> int:
    """Return how many repeats have become due since the last notification."""
    period = rule.repeat_every
    return (now - notified_at + schedule_tolerance(rule, period)) // period if period else 0


def repeat_time(rule: Rule, notified_at: datetime, now: datetime) -> datetime:
    """Return the time at which a repeat was due, so that repeats don't drift.

    A late repeat, after a silence or an outage, restarts the period.
    """
    period = rule.repeat_every or timedelta(0)
    due = notified_at + due_repeats(rule, notified_at, now) * period
    is_late = now - due > min(rule.every, period / 4)
    return now if is_late else due


def record_repeat(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """Return the state after a repeat."""
    return state._replace(notified_at=repeat_time(rule, state.notified_at or now, now))


def _to_flapping(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    severity = highest_severity((state.notified_severity, state.severity))
    return state._replace(
        flapping_since=now,
        firing_since=state.firing_since or state.changes[0],
        notified_severity=severity or rule.lowest_severity,
        notified_at=now,
    )


def _flapping_notification(limit: int | None, state: AlertState, now: datetime) -> DueNotification:
    """Return firing at once if the severity rises, at most once per hour; else wait for stability."""
    is_first = state.calm_ended_at is None or now - state.calm_ended_at >= FLAPPING_PERIOD
    if state.status == "firing" and is_first and _has_risen(state):
        return _after_flapping(state._replace(changes=(now,), calm_ended_at=now), now)
    is_stable = limit is None or len(state.changes) <= limit // 2
    return _after_flapping(state, now) if is_stable else (state, None)


def _after_flapping(state: AlertState, now: datetime) -> DueNotification:
    """End flapping with a notification of the current status."""
    state = state._replace(flapping_since=None, notified_at=now)
    if state.status == "firing":
        return state._replace(notified_severity=state.severity), "firing"
    return state._replace(notified_severity=None), "resolved" if state.status == "ok" else "no_data"
