"""The periods of a report: days, weeks, months, quarters, or from one due time to the next.

Reads definitions/calendar.yml if the report is due on working days; writes nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from analytics_worker.calendars.schedules import period_kind
from analytics_worker.errors import PermanentError
from flows.reports.definitions.model import Report
from flows.reports.scheduling.periods import (
    Period,
    last_period,
    named_period,
    period_at,
)
from flows.reports.scheduling.report_times import due_times

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Interval:
    """The time from one due time of a report to the next, exclusively."""

    report: Report
    start: datetime
    end: datetime

    @property
    def label(self) -> str:
        """The end with its offset: ``2026-11-25T07:30+01:00``."""
        return _local(self.end, self.report).isoformat(timespec="minutes")

    @property
    def file_label(self) -> str:
        """The end as part of a file name; of two that the clock shows alike, the second has a ``b``."""
        end = _local(self.end, self.report)
        return f"{end:%Y-%m-%d-%H%M}{'b' if end.fold else ''}"

    @property
    def text(self) -> str:
        """The interval as readers see it."""
        start, end = _local(self.start, self.report), _local(self.end, self.report)
        end_text = f"{end:%H:%M}" if start.date() == end.date() else _text(end)
        return f"{_text(start)} – {end_text}"

    def previous(self) -> "Interval":
        """Return the interval that ends when this one starts."""
        return interval_until(self.report, self.start)


ReportPeriod = Period | Interval


def last_report_period(report: Report, at: datetime) -> ReportPeriod:
    """Return the last period of a report that is over at a time."""
    kind = period_kind(report)
    if kind is not None:
        return last_period(kind, at, report.timezone)
    return interval_until(report, _due_before(report, at + _INSTANT))


def current_report_period(report: Report, at: datetime) -> ReportPeriod:
    """Return the period of a report that is not over at a time."""
    kind = period_kind(report)
    if kind is not None:
        return period_at(kind, at, report.timezone)
    return interval_until(report, _due_after(report, at))


def named_report_period(report: Report, label: str) -> ReportPeriod:
    """Return the period of a report by its label.

    Raises:
        PermanentError: it is not the label of a period of this report.
    """
    kind = period_kind(report)
    return named_period(label, kind, report.timezone) if kind else _named_interval(report, label)


def interval_until(report: Report, due: datetime) -> Interval:
    """Return the interval that ends at a due time."""
    return Interval(report, _due_before(report, due), due)


def _named_interval(report: Report, label: str) -> Interval:
    try:
        due = datetime.fromisoformat(label)
        due = due if due.tzinfo else due.replace(tzinfo=ZoneInfo(report.timezone))
        is_due = _due_after(report, due.astimezone(UTC) - _INSTANT) == due
    except (ValueError, OverflowError):
        is_due, due = False, datetime.now(UTC)
    if not is_due:
        example = last_report_period(report, datetime.now(UTC)).label
        raise PermanentError(
            f"{label[:80]!r} is not a due time of {report.name}; expected one like {example}"
        )
    return interval_until(report, due.astimezone(UTC))


def _due_before(report: Report, at: datetime) -> datetime:
    times = due_times(report)
    return next(times.before(at), at) if times else at


def _due_after(report: Report, at: datetime) -> datetime:
    times = due_times(report)
    return next(times.after(at), at) if times else at


def _local(instant: datetime, report: Report) -> datetime:
    return instant.astimezone(ZoneInfo(report.timezone))


def _text(local: datetime) -> str:
    return f"{local.day} {local:%B %Y, %H:%M}"
