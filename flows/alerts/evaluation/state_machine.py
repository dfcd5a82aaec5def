"""State machine of one alert: its current state, and what recipients have been notified of.

Reads nothing, writes nothing. Every function maps a state, a classification and a time to the next
state. `update_state` changes the current state after each evaluation; `due_notification` decides which
notification that causes.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, NamedTuple

from flows.alerts.evaluation.conditions import meets, worst_value
from flows.alerts.rules.model import SEVERITY_RANK, Rule, Severity

Status = Literal["unknown", "ok", "pending", "firing", "no_data"]
Classification = Severity | Literal["ok", "no_data", "keep_last"]
"""Result of a comparison: the severity whose condition is met, ok, no data, or state unchanged."""

FLAPPING_PERIOD = timedelta(hours=1)
MAX_TIME_SHIFT = timedelta(minutes=90)


class AlertState(NamedTuple):
    """State of one alert, or of one key of a rule with keys; stored in ops.alert_states."""

    since: datetime
    status: Status = "unknown"
    severity: Severity | None = None
    value: Decimal | None = None
    sample: Decimal | None = None
    worst_value: Decimal | None = None
    pending_since: datetime | None = None
    firing_since: datetime | None = None
    empty_since: datetime | None = None
    notified_severity: Severity | None = None
    notified_at: datetime | None = None
    ok_since: datetime | None = None
    missing_since: datetime | None = None
    no_data_notified: bool = False
    changes: tuple[datetime, ...] = ()
    flapping_since: datetime | None = None
    calm_ended_at: datetime | None = None
    muted_by: str | None = None
    """Name of the firing rule, of ``depends_on``, that muted its notifications."""
    told_to: tuple[tuple[str, str], ...] | None = None
    """Channels and addresses that have been notified that it fires; None if unknown."""

    @property
    def is_notified(self) -> bool:
        """Whether recipients have been notified that the alert is firing or flapping."""
        return self.notified_severity is not None or self.flapping_since is not None


States = Mapping[str, AlertState]


class RuleHealth(NamedTuple):
    """Whether a rule can be evaluated and has data, and what its owner has been notified of."""

    error: str | None = None
    since: datetime | None = None
    notified: bool = False
    notified_at: datetime | None = None
    succeeded_at: datetime | None = None
    """When its SQL last ran without an error."""
    no_data_since: datetime | None = None
    no_data_notified_at: datetime | None = None


def classify(rule: Rule, state: AlertState, value: Decimal | None) -> Classification:
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
    value: Decimal | None,
    now: datetime,
) -> AlertState:
    """Return the state after one evaluation."""
    if state.changes:
        recent = tuple(at for at in state.changes if now - at < FLAPPING_PERIOD)
        state = state._replace(changes=recent)
    if value != state.value:
        state = state._replace(value=value)
    match classification:
        case "keep_last":
            return _to_last(rule, state, now)
        case "ok":
            return _to_ok(rule, state, now)
        case "no_data":
            return _to_no_data(rule, state, now)
        case _:
            return _to_breached(rule, state, classification, now)


def _with_status(state: AlertState, status: Status, now: datetime) -> AlertState:
    return state if state.status == status else state._replace(status=status, since=now)


def _to_last(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """Keep the last status; an alert that is pending goes on as if its condition were still met."""
    if state.status == "pending" and state.severity:
        return _to_breached(rule, state, state.severity, now)
    return state


def _to_ok(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """Keep the alert firing for ``keep_firing_for``, then resolve it."""
    ok_since = state.ok_since or now
    keeps = state.status == "firing" and not has_elapsed(rule, rule.keep_firing_for, ok_since, now)
    if keeps:
        return state._replace(ok_since=ok_since, empty_since=None)
    return _resolve(state, now)


def _resolve(state: AlertState, now: datetime) -> AlertState:
    """Resolve the alert; keep start and worst value until the resolved notification is written."""
    ended = (now,) if state.status == "firing" else ()
    return state._replace(
        status="ok",
        since=state.since if state.status == "ok" else now,
        severity=None,
        pending_since=None,
        empty_since=None,
        ok_since=None,
        changes=state.changes + ended,
        firing_since=state.firing_since if state.is_notified else None,
        worst_value=state.worst_value if state.is_notified else None,
    )


def _to_no_data(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """Keep an alert firing until ``no_data_after``: missing data does not resolve it."""
    empty_since = state.empty_since or now
    state = state._replace(empty_since=empty_since, pending_since=None)
    if state.status == "firing" and now - empty_since < rule.no_data_period:
        return state
    return _with_status(state._replace(severity=None), "no_data", now)


def _to_breached(rule: Rule, state: AlertState, severity: Severity, now: datetime) -> AlertState:
    """Move the alert to pending or firing."""
    before = state
    state = state._replace(severity=severity, empty_since=None, ok_since=None)
    if before.status == "firing" or (before.status == "no_data" and before.firing_since):
        worst = worst_value(rule, [state.value, state.worst_value])
        state = _with_status(state._replace(worst_value=worst), "firing", now)
        has_risen = SEVERITY_RANK[severity] > SEVERITY_RANK[before.severity]
        return _with_change(state, now) if has_risen else state
    pending_since = state.pending_since if state.status == "pending" else now
    state = state._replace(pending_since=pending_since)
    if not has_elapsed(rule, rule.pending_period, pending_since or now, now):
        return _with_status(state, "pending", now)
    return _start_firing(rule, state, now)


def _start_firing(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    worst = worst_value(rule, [state.value, state.worst_value])
    state = state._replace(
        pending_since=None,
        firing_since=(state.is_notified and state.firing_since) or now,
        worst_value=worst if state.is_notified else state.value,
    )
    return _with_status(_with_change(state, now), "firing", now)


def _with_change(state: AlertState, now: datetime) -> AlertState:
    """Record that the alert started to fire, or that its severity rose; flapping counts both."""
    return state._replace(changes=(*state.changes, now))


def schedule_tolerance(rule: Rule, duration: timedelta) -> timedelta:
    """Return how early a run may start, so that schedule jitter does not cost a whole period.

    Times of day may be an hour less than a day apart, when clocks change, and evaluated late before.
    """
    return min(MAX_TIME_SHIFT if rule.has_own_times else rule.every / 4, duration / 4)


def has_elapsed(rule: Rule, duration: timedelta, since: datetime, now: datetime) -> bool:
    """Return whether a duration has elapsed, within the schedule tolerance."""
    return (
        now - since >= duration - schedule_tolerance(rule, duration)
        if now != since
        else not duration
    )
