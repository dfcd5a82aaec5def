"""The periods that reports cover: days, weeks and months, in the report's time zone.

Reads nothing, writes nothing. A period starts when the previous one ends, also across clock changes:
days are 23 to 25 hours long, and a midnight that a zone skips is the instant of the jump.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from analytics_worker.errors import PermanentError

ScheduleType = Literal["daily", "weekly", "monthly"]
SCHEDULE_TYPES: tuple[ScheduleType, ...] = ("daily", "weekly", "monthly")


@dataclass(frozen=True)
class Period:
    """A day, a week from Monday, or a month: from `start` to `end` exclusively, both in UTC."""

    kind: ScheduleType
    first: date
    timezone: str

    @property
    def label(self) -> str:
        """The period as ``2026-11-22``, ``2026-W47`` or ``2026-11``; the same in every time zone."""
        if self.kind == "daily":
            return self.first.isoformat()
        if self.kind == "weekly":
            return f"{self.first:%G-W%V}"
        return f"{self.first:%Y-%m}"

    @property
    def start(self) -> datetime:
        """The first instant of the period."""
        return midnight(self.first, self.timezone)

    @property
    def end(self) -> datetime:
        """The first instant after the period."""
        return midnight(_next_first(self.kind, self.first), self.timezone)

    @property
    def text(self) -> str:
        """The period as readers see it: ``Sunday, 22 November 2026``, ``16 – 22 November 2026``, ``November 2026``."""
        if self.kind == "monthly":
            return f"{self.first:%B %Y}"
        if self.kind == "daily":
            return f"{self.first:%A}, {self.first.day} {self.first:%B %Y}"
        return _days_text(self.first, self.first + timedelta(days=6))

    def previous(self) -> "Period":
        """Return the previous period."""
        return Period(
            self.kind, _first_of(self.kind, self.first - timedelta(days=1)), self.timezone
        )


def last_period(kind: ScheduleType, as_of: datetime, timezone: str) -> Period:
    """Return the last period that has ended: yesterday, last week from Monday, or last month."""
    today = as_of.astimezone(ZoneInfo(timezone)).date()
    return Period(kind, _first_of(kind, today), timezone).previous()


def named_period(label: str, kind: ScheduleType, timezone: str) -> Period:
    """Return the period of a label such as ``2026-11-22``, ``2026-W47`` or ``2026-11``.

    Raises:
        PermanentError: it is not a label of this kind of period.
    """
    formats = {"daily": "%Y-%m-%d", "weekly": "%G-W%V-%u", "monthly": "%Y-%m"}
    examples = {"daily": "2026-11-22", "weekly": "2026-W47", "monthly": "2026-11"}
    text = f"{label}-1" if kind == "weekly" else label
    try:
        first = datetime.strptime(text, formats[kind]).replace(tzinfo=UTC).date()
    except ValueError:
        raise PermanentError(
            f"{label!r} is not a valid {kind} period; expected one like {examples[kind]}"
        ) from None
    return Period(kind, first, timezone)


def missed_periods(
    kind: ScheduleType, as_of: datetime, timezone: str, *, since: datetime, limit: int
) -> list[Period]:
    """Return the periods that ended after `since`, without the last one, the oldest first.

    Args:
        kind: Kind of the periods.
        as_of: The time that decides which period is the last one.
        timezone: Time zone of the report.
        since: End of the last period that was scheduled.
        limit: Maximum number of periods; the latest ones are returned.
    """
    missed: list[Period] = []
    period = last_period(kind, as_of, timezone).previous()
    while len(missed) < limit and period.end > since:
        missed.append(period)
        period = period.previous()
    return missed[::-1]


def midnight(day: date, timezone: str) -> datetime:
    """Return when a day starts, in UTC."""
    local = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(timezone))
    return local.astimezone(UTC)


def _first_of(kind: ScheduleType, day: date) -> date:
    if kind == "weekly":
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if kind == "monthly" else day


def _next_first(kind: ScheduleType, first: date) -> date:
    if kind == "monthly":
        return (first + timedelta(days=31)).replace(day=1)
    return first + timedelta(days=7 if kind == "weekly" else 1)


def _days_text(first: date, last: date) -> str:
    if first.year != last.year:
        return f"{first.day} {first:%B %Y} – {last.day} {last:%B %Y}"
    if first.month != last.month:
        return f"{first.day} {first:%B} – {last.day} {last:%B %Y}"
    return f"{first.day} – {last.day} {last:%B %Y}"
