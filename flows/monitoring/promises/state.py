"""Decide how a promise stands: kept, late, waiting, at risk or broken.

Pure functions. A message changes only if what it says does, so that an incident stays as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from flows.monitoring.promises.days import PromisedDay

GRACE = timedelta(minutes=6)
"""Until when it was surely measured whether it was there in time: the catalog is refreshed every 5 minutes."""
SAME = timedelta(minutes=5)
"""By how much an expectation moves before that is shown."""

StateName = Literal["waiting", "at risk", "broken", "kept", "late"]


@dataclass(frozen=True)
class PromiseState:
    """How a promise stands, as ops.promises stores it."""

    name: str
    state: StateName = "waiting"
    state_since: datetime | None = None
    day: date | None = None
    due_at: datetime | None = None
    expected_at: datetime | None = None
    message: str = ""

    @property
    def is_problem(self) -> bool:
        """Whether it is at risk or broken."""
        return self.state in {"at risk", "broken"}

    def row(self) -> dict[str, Any]:
        """Return the form in which ops.promises stores it."""
        fields = vars(self)
        return {name: value if value is None else str(value) for name, value in fields.items()}


class Awaited(NamedTuple):
    """A day that has not arrived: when it is expected, if that is known, and what it waits for."""

    day: PromisedDay
    expected_at: datetime | None
    reason: str


class Arrived(NamedTuple):
    """The last day that arrived."""

    day: PromisedDay
    arrived_at: datetime


def promise_state(
    before: PromiseState,
    last: Arrived | None,
    awaited: Sequence[Awaited],
    now: datetime,
    zone: ZoneInfo,
) -> PromiseState:
    """Return how a promise stands.

    Args:
        before: How it stood.
        last: The last day that arrived.
        awaited: The days after it, the earliest first.
        now: The time.
        zone: The time zone of the promise.
    """
    broken = [each for each in awaited if now >= each.day.due_at + GRACE]
    if broken:
        return _problem(before, broken[-1], "broken", _broken_text(broken[-1], zone), now)
    if awaited:
        return _expected(before, awaited[-1], now, zone)
    if last is None:
        return PromiseState(before.name)
    state: StateName = "kept" if last.arrived_at <= last.day.due_at else "late"
    return PromiseState(before.name, state, None, last.day.day, last.day.due_at)


def _expected(
    before: PromiseState, awaited: Awaited, now: datetime, zone: ZoneInfo
) -> PromiseState:
    day, expected = awaited.day, awaited.expected_at
    if expected is None or expected <= day.due_at:
        return PromiseState(before.name, "waiting", None, day.day, day.due_at, expected)
    text = f"expected {_clock(expected, day, zone)}, promised {_clock(day.due_at, day, zone)}; {awaited.reason}"
    return _problem(before, awaited, "at risk", text, now)


def _problem(
    before: PromiseState, awaited: Awaited, state: StateName, text: str, now: datetime
) -> PromiseState:
    if _is_same(before, awaited, state):
        return before
    since = before.state_since if before.is_problem else now
    day = awaited.day
    return PromiseState(before.name, state, since, day.day, day.due_at, awaited.expected_at, text)


def _is_same(before: PromiseState, awaited: Awaited, state: StateName) -> bool:
    if (before.state, before.due_at) != (state, awaited.day.due_at):
        return False
    if not before.message.endswith(awaited.reason):
        return False
    if state == "broken" or before.expected_at is None or awaited.expected_at is None:
        return True
    return abs(before.expected_at - awaited.expected_at) < SAME


def _broken_text(awaited: Awaited, zone: ZoneInfo) -> str:
    due = awaited.day.due_at.astimezone(zone)
    return f"promised by {due:%Y-%m-%d %H:%M} ({zone.key}); {awaited.reason}"


def _clock(at: datetime, day: PromisedDay, zone: ZoneInfo) -> str:
    """Return the time of day, with the date if that is another than the promised one."""
    local = at.astimezone(zone)
    return f"{local:%H:%M}" if local.date() == day.day else f"{local:%Y-%m-%d %H:%M}"
