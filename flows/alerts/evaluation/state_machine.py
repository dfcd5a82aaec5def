"""The state machine of one alert: what is true of it, and what its readers believe.

Reads nothing, writes nothing: every function maps a state, an observation and a time to the next
state. Truth and belief are kept apart: `observe` moves the truth whatever happens; `tell` decides
whether the belief is wrong enough for a notice. A silence only holds `tell` back, so what was
missed is told when the silence ends, and a resolved notice only ever follows a firing one.
"""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from flows.alerts.evaluation.conditions import meets, worse
from flows.alerts.rules.model import RANK, Rule, Severity

Status = Literal["unknown", "ok", "pending", "firing", "no_data"]
Level = Severity | Literal["ok", "no_data", "keep_last"]
"""What one observation says: a severity whose condition is met, or none is, or nothing is known."""

NoticeKind = Literal["firing", "still_firing", "resolved", "no_data", "flapping"]
HOUR = timedelta(hours=1)


class AlertState(NamedTuple):
    """One alert, or one key of a rule with keys. The columns of ops.alert_states."""

    since: datetime
    status: Status = "unknown"
    severity: Severity | None = None
    value: float | None = None
    reading: float | None = None
    worst: float | None = None
    pending_since: datetime | None = None
    firing_since: datetime | None = None
    empty_since: datetime | None = None
    told: Severity | None = None
    told_at: datetime | None = None
    changes: tuple[datetime, ...] = ()
    flapping_since: datetime | None = None


def judge(rule: Rule, state: AlertState, value: float | None) -> Level:
    """What a value says under a rule; a firing alert is over only past its recovery bound."""
    if value is None:
        return rule.highest if rule.on_empty == "alert" else rule.on_empty
    for severity, bound in rule.bounds.items():
        if meets(value, rule.operator, bound):
            return severity
    holds = rule.recovery is not None and meets(value, rule.operator, rule.recovery)
    if state.status == "firing" and holds:
        return next(reversed(rule.bounds))
    return "ok"


def observe(
    rule: Rule, state: AlertState, level: Level, value: float | None, now: datetime
) -> AlertState:
    """The truth after one observation."""
    recent = tuple(at for at in state.changes if now - at < HOUR)
    state = state._replace(value=value, changes=recent)
    match level:
        case "keep_last":
            return state
        case "ok":
            return _well(state, now)
        case "no_data":
            return _empty(rule, state, now)
        case _:
            return _met(rule, state, level, now)


def _moved(state: AlertState, status: Status, now: datetime) -> AlertState:
    return state if state.status == status else state._replace(status=status, since=now)


def _well(state: AlertState, now: datetime) -> AlertState:
    """Nothing is wrong any more; the story is kept for those who are owed it."""
    is_owed = state.told is not None or state.flapping_since is not None
    ended = (now,) if state.status == "firing" else ()
    state = state._replace(
        severity=None,
        pending_since=None,
        empty_since=None,
        changes=state.changes + ended,
        firing_since=state.firing_since if is_owed else None,
        worst=state.worst if is_owed else None,
    )
    return _moved(state, "ok", now)


def _empty(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """A firing alert keeps firing for a while: no data is no proof that it is over."""
    empty_since = state.empty_since or now
    state = state._replace(empty_since=empty_since, pending_since=None)
    if state.status == "firing" and now - empty_since < rule.no_data_after:
        return state
    return _moved(state._replace(severity=None), "no_data", now)


def _met(rule: Rule, state: AlertState, severity: Severity, now: datetime) -> AlertState:
    worst = worse(rule, [state.value, state.worst])
    fires = state.status == "firing" or (state.status == "no_data" and state.firing_since)
    state = state._replace(severity=severity, empty_since=None)
    if fires:
        return _moved(state._replace(worst=worst), "firing", now)
    pending_since = state.pending_since if state.status == "pending" else now
    state = state._replace(pending_since=pending_since)
    if not has_passed(rule, rule.wait, pending_since or now, now):
        return _moved(state, "pending", now)
    told = state.told is not None or state.flapping_since is not None
    return _moved(
        state._replace(
            pending_since=None,
            firing_since=(told and state.firing_since) or now,
            worst=worst if told else state.value,
            changes=(*state.changes, now),
        ),
        "firing",
        now,
    )


def slack(rule: Rule, length: timedelta) -> timedelta:
    """How much too early a run may come, so that jitter of the schedule doesn't cost a whole tick."""
    return min(rule.every, length) / 4


def has_passed(rule: Rule, length: timedelta, since: datetime, now: datetime) -> bool:
    """Whether a length of time is over, give or take the jitter of the schedule."""
    return now - since >= length - slack(rule, length) if now != since else not length


def tell(
    rule: Rule, before: AlertState, state: AlertState, now: datetime
) -> tuple[AlertState, NoticeKind | None]:
    """What the readers have to be told to believe what is true, and the state when they are."""
    limit = rule.flapping_after
    if state.flapping_since is not None:
        still = limit is not None and len(state.changes) > limit // 2
        return (state, None) if still else _calm(state, now)
    if limit is not None and len(state.changes) > limit:
        return _flapping(rule, state, now), "flapping"
    if state.status == "firing":
        return _tell_firing(rule, state, now)
    return _tell_end(before, state, now)


def _tell_firing(
    rule: Rule, state: AlertState, now: datetime
) -> tuple[AlertState, NoticeKind | None]:
    if RANK[state.severity] > RANK[state.told]:
        return state._replace(told=state.severity, told_at=now), "firing"
    if rule.repeat_every and state.told_at and repeats(rule, state.told_at, now):
        return repeated(rule, state, now), "still_firing"
    return state, None


def _tell_end(
    before: AlertState, state: AlertState, now: datetime
) -> tuple[AlertState, NoticeKind | None]:
    """Those who were told that it fires hear that it is over, or that nobody knows any more."""
    if state.told is not None and state.status == "ok":
        return state._replace(told=None, told_at=now), "resolved"
    lost = state.told is not None and (before.status, state.status) == ("firing", "no_data")
    return state, "no_data" if lost else None


def repeats(rule: Rule, told_at: datetime, now: datetime) -> int:
    """How many repeats have come due since the last notice was."""
    period = rule.repeat_every
    return (now - told_at + slack(rule, period)) // period if period else 0


def repeated(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    """The state after a repeat, stamped with when it was due, so that repeats don't drift.

    One that comes late, after a silence or an outage, starts the count anew.
    """
    told_at, period = state.told_at or now, rule.repeat_every or timedelta(0)
    due = told_at + repeats(rule, told_at, now) * period
    return state._replace(told_at=due if now - due <= min(rule.every, period / 4) else now)


def _flapping(rule: Rule, state: AlertState, now: datetime) -> AlertState:
    return state._replace(
        flapping_since=now,
        firing_since=state.firing_since or state.changes[0],
        told=state.told or state.severity or rule.highest,
        told_at=now,
    )


def _calm(state: AlertState, now: datetime) -> tuple[AlertState, NoticeKind | None]:
    """It stays what it is now, so say what that is."""
    state = state._replace(flapping_since=None, told_at=now)
    if state.status == "firing":
        return state._replace(told=state.severity), "firing"
    return state._replace(told=None), "resolved" if state.status == "ok" else "no_data"
