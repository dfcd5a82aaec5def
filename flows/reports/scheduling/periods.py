"""The periods that reports cover: days, weeks, months and quarters, in the report's time zone.

Reads nothing, writes nothing. A period starts when the previous one ends, also across clock changes:
days are 23 to 25 hours long, and a midnight that a zone skips is the instant of the jump.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics_worker.calendars.schedules import (
    PeriodKind,
    ScheduleType,
    first_of,
    midnight,
    quarter_of,
)
from analytics_worker.errors import PermanentError

SCHEDULE_TYPES: tuple[ScheduleType, ...] = ("daily", "weekly", "monthly")

YEARS = range(1900, 2200)

_FORMATS: Mapping[PeriodKind, str] = {
    "daily": "%Y-%m-%d",
    "weekly": "%G-W%V-%u",
    "monthly": "%Y-%m",
    "quarterly": "%Y-%m",
}
_EXAMPLES: Mapping[PeriodKind, str] = {
    "daily": "2026-11-22",
    "weekly": "2026-W47",
    "monthly": "2026-11",
    "quarterly": "2026-Q4",
}


@dataclass(frozen=True)
class Period:
    """A day, a week from Monday, a month or a quarter: from `start` to `end` exclusively, in UTC."""

    kind: PeriodKind
    first: date
    timezone: str

    @property
    def label(self) -> str:
        """The period as ``2026-11-22``, ``2026-W47``, ``2026-11`` or ``2026-Q4``, in any time zone."""
        if self.kind == "daily":
            return self.first.isoformat()
        if self.kind == "weekly":
            return f"{self.first:%G-W%V}"
        if self.kind == "quarterly":
            return f"{self.first:%Y}-Q{quarter_of(self.first)}"
        return f"{self.first:%Y-%m}"

    @property
    def file_label(self) -> str:
        """The period as part of a file name."""
        return self.label.lower()

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
        """The period as readers see it, such as ``Sunday, 22 November 2026`` or ``16 – 22 November 2026``."""
        if self.kind == "monthly":
            return f"{self.first:%B %Y}"
        if self.kind == "quarterly":
            return f"quarter {quarter_of(self.first)} of {self.first:%Y}"
        if self.kind == "daily":
            return f"{self.first:%A}, {self.first.day} {self.first:%B %Y}"
        return _days_text(self.first, self.first + timedelta(days=6))

    @property
    def short_text(self) -> str:
        """The period in a few characters: ``24 Nov``, ``16 – 22 Nov``, ``Nov 2026``, ``2026-Q4``."""
        if self.kind == "quarterly":
            return self.label
        if self.kind == "monthly":
            return f"{self.first:%b %Y}"
        day, last = f"{self.first.day} {self.first:%b}", self.first + timedelta(days=6)
        if self.kind == "daily":
            return day
        begin = self.first.day if last.month == self.first.month else day
        return f"{begin} – {last.day} {last:%b}"

    def previous(self) -> "Period":
        """Return the previous period."""
        return Period(self.kind, first_of(self.kind, self.first - timedelta(days=1)), self.timezone)


def last_period(kind: PeriodKind, as_of: datetime, timezone: str) -> Period:
    """Return the last period that has ended: yesterday, last week from Monday, or last month."""
    return period_at(kind, as_of, timezone).previous()


def period_at(kind: PeriodKind, at: datetime, timezone: str) -> Period:
    """Return the period that a time is in."""
    today = at.astimezone(ZoneInfo(timezone)).date()
    return Period(kind, first_of(kind, today), timezone)


def named_period(label: str, kind: PeriodKind, timezone: str) -> Period:
    """Return the period of a label such as ``2026-11-22``, ``2026-W47``, ``2026-11`` or ``2026-Q4``.

    Raises:
        PermanentError: it is not a label of this kind of period.
    """
    first = _first_day(label, kind)
    if first is None or first.year not in YEARS:
        raise PermanentError(
            f"{label[:80]!r} is not a valid {kind} period; expected one like {_EXAMPLES[kind]}"
        )
    return Period(kind, first, timezone)


def _first_day(label: str, kind: PeriodKind) -> date | None:
    text = {"weekly": f"{label}-1", "quarterly": _first_month(label)}.get(kind, label)
    try:
        return datetime.strptime(text, _FORMATS[kind]).replace(tzinfo=UTC).date()
    except ValueError:
        return None


def _first_month(label: str) -> str:
    """Return ``2026-10`` for ``2026-Q4``."""
    quarter = re.fullmatch(r"(\d{4})-Q([1-4])", label)
    return f"{quarter[1]}-{3 * int(quarter[2]) - 2}" if quarter else ""


def missed_periods(
    kind: PeriodKind, as_of: datetime, timezone: str, *, since: datetime, limit: int
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


def _next_first(kind: PeriodKind, first: date) -> date:
    if kind in {"monthly", "quarterly"}:
        days = 31 if kind == "monthly" else 93
        return (first + timedelta(days=days)).replace(day=1)
    return first + timedelta(days=7 if kind == "weekly" else 1)


def _days_text(first: date, last: date) -> str:
    if first.year != last.year:
        return f"{first.day} {first:%B %Y} – {last.day} {last:%B %Y}"
    if first.month != last.month:
        return f"{first.day} {first:%B} – {last.day} {last:%B %Y}"
    return f"{first.day} – {last.day} {last:%B %Y}"
