"""One evaluation of one rule: its states before, what was found, its states after, the notices.

Reads nothing, writes nothing. A failure belongs to the rule and is told to its owner; the states of
its keys, which the readers know, stay as they are.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from flows.alerts.evaluation.samples import NO_KEY, Readings, group_of
from flows.alerts.evaluation.state_machine import (
    AlertState,
    Level,
    NoticeKind,
    judge,
    observe,
    repeated,
    tell,
)
from flows.alerts.notifications.model import (
    AUDIENCES,
    Advance,
    Audience,
    Health,
    Notice,
    States,
    summed_up,
)
from flows.alerts.rules.model import RANK, Rule


@dataclass(frozen=True)
class Failure:
    """The SQL could not be evaluated; why, in one sentence."""

    message: str


@dataclass(frozen=True)
class Given:
    """Somebody else has judged already, and says the severity and the value."""

    level: Level
    value: float | None


Found = Readings | Failure | Given


def advance(
    rule: Rule,
    before: States,
    health: Health,
    found: Found,
    now: datetime,
    *,
    unreachable: Collection[Audience] = (),
    earlier: Mapping[str, float] | None = None,
) -> Advance:
    """Move a rule on by one evaluation.

    Args:
        rule: The rule.
        before: Its states by key.
        health: Whether its last evaluation failed.
        found: What its SQL returned, or why it did not.
        now: When.
        unreachable: Who can't be notified now, because of a silence or for want of recipients:
            states move, and what is still true is told later.
        earlier: Readings to compare with, if not with the previous ones.
    """
    truth = _observed(rule, before, found, now, earlier)
    quiet = AUDIENCES if rule.muted else unreachable
    health, notices = _checked(rule, health, found, now, silenced="owner" in quiet)
    if "readers" not in quiet:
        truth, told = _told(rule, before, truth, now)
        notices += told
    kept = {k: s for k, s in truth.items() if not _is_forgotten(s, k, found)}
    untold = not rule.muted and _is_untold(kept, health)
    failed = isinstance(found, Failure)
    return summed_up(rule, kept, health, notices, failed=failed, untold=untold)


def _is_untold(states: States, health: Health) -> bool:
    """Return whether there is something that nobody was notified of."""
    fires = any(s.status == "firing" and RANK[s.severity] > RANK[s.told] for s in states.values())
    return fires or (health.error is not None and not health.told)


def _observed(
    rule: Rule, before: States, found: Found, now: datetime, earlier: Mapping[str, float] | None
) -> dict[str, AlertState]:
    if isinstance(found, Failure):
        if rule.on_error != "alert":
            return dict(before)
        found = Given(rule.highest, None)
    if isinstance(found, Given) and found.level == "keep_last":
        return dict(before)
    if isinstance(found, Given):
        keys = list(before) or [NO_KEY]
        fresh = AlertState(now)
        return {k: observe(rule, before.get(k, fresh), found.level, found.value, now) for k in keys}
    result: dict[str, AlertState] = {}
    for key in _keys(rule, before, found):
        result[key] = _read(rule, before.get(key) or AlertState(now), key, found, now, earlier)
    return result


def _keys(rule: Rule, before: States, found: Readings) -> list[str]:
    """Those known and those found; no row at all is an observation without a key."""
    keys = dict.fromkeys([*before, *found])
    if not keys and rule.on_empty == "alert":
        return [NO_KEY]
    return list(keys)


def _read(
    rule: Rule,
    state: AlertState,
    key: str,
    found: Readings,
    now: datetime,
    earlier: Mapping[str, float] | None,
) -> AlertState:
    if rule.key_columns and key == NO_KEY and found:  # there are keys again
        return observe(rule, state, "ok", None, now)
    counted = rule.measure == "rows" or rule.reduce == "count"
    reading = found.get(key, 0.0 if counted else None)
    base = state.reading if earlier is None else earlier.get(key)
    value = _measured(rule, reading, base)
    known = state.reading if reading is None else reading
    return observe(rule, state, judge(rule, state, value), value, now)._replace(reading=known)


def _measured(rule: Rule, reading: float | None, base: float | None) -> float | None:
    """What is compared: the reading itself, or how much it changed."""
    if not rule.measure.startswith("change"):
        return reading
    if reading is None or base is None:
        return None
    change = reading - base
    if rule.measure == "change_percent" and change:
        change = math.copysign(math.inf, change) if base == 0 else change / abs(base) * 100
    return None if math.isnan(change) else change


def _checked(
    rule: Rule, health: Health, found: Found, now: datetime, *, silenced: bool
) -> tuple[Health, list[Notice]]:
    """Whether the rule works, and what its owner has to hear about that."""
    failure = found if isinstance(found, Failure) and rule.on_error == "error" else None
    after = Health(told=health.told)
    if failure is not None:
        after = Health(failure.message, health.since or now, health.told)
    failed = failure is not None
    if silenced or failed == health.told:
        return after, []
    kind = "error" if failed else "error_resolved"
    notice = Notice(kind, "owner", health=after if failed else health, is_last=not failed)
    return replace(after, told=failed), [notice]


def _told(
    rule: Rule, before: States, truth: dict[str, AlertState], now: datetime
) -> tuple[dict[str, AlertState], list[Notice]]:
    """The states when everybody was told, and one notice per kind and group."""
    after: dict[str, AlertState] = {}
    gathered: dict[tuple[NoticeKind, str], dict[str, AlertState]] = {}
    for key, state in truth.items():
        after[key], kind = tell(rule, before.get(key) or state, state, now)
        if kind is not None:
            # A notice tells of the state as it was when it happened, with its story.
            gathered.setdefault((kind, group_of(rule, key)), {})[key] = after[key]
    for (kind, group), states in gathered.items():
        if kind == "still_firing":
            _repeat_together(rule, group, after, states, now)
    return after, [
        Notice(kind, group=group, states=states, is_last=_is_over(rule, group, after))
        for (kind, group), states in gathered.items()
    ]


def _is_over(rule: Rule, group: str, after: States) -> bool:
    """Return whether the readers believe that all is well in the group."""
    return not any(s.told for key, s in after.items() if group_of(rule, key) == group)


def _repeat_together(
    rule: Rule,
    group: str,
    after: dict[str, AlertState],
    states: dict[str, AlertState],
    now: datetime,
) -> None:
    """A repeat is about everything in the group that fires, and restarts the clock of all of it."""
    for key, state in after.items():
        if state.status == "firing" and state.told and group_of(rule, key) == group:
            told_at = max(s.told_at for s in states.values() if s.told_at)
            stamped = (
                state if key in states else repeated(rule, state, now)._replace(told_at=told_at)
            )
            states[key] = after[key] = stamped


def _is_forgotten(state: AlertState, key: str, found: Found) -> bool:
    """A key that is gone and about which nobody is owed a notice."""
    is_gone = isinstance(found, dict) and key not in found
    return is_gone and state.status in {"ok", "no_data"} and state.told is None
