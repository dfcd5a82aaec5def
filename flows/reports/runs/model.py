"""A report run: one report for one period and key, and the labels and values that follow from it.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import RowMapping

from analytics_worker.calendars.schedules import period_kind
from analytics_worker.errors import PermanentError
from analytics_worker.text import value_line
from flows.reports.definitions.model import Report
from flows.reports.scheduling.periods import named_period
from flows.reports.scheduling.report_periods import Interval, ReportPeriod

PRELIMINARY = "preliminary"
FOLLOW_UP = "follow_up"
"""The kind of a run that sends a report again, with the parts that were held."""
AGAIN = " again"
"""In the period of a follow-up, behind the label."""
SO_FAR = " so far "
"""In the period of a preliminary run, between the label and the time of the request."""


class HeldPart(NamedTuple):
    """A part that is held while the rest of its report is sent.

    Attributes:
        part: ``tile``, ``chart`` or ``table``.
        position: Which of them, from 0.
        title: Its title.
        unmet: The requirements that are not met, as clauses of a sentence.
        requirements: Their names.
        reads: The relations that its SQL reads, as SQL names them.
    """

    part: str
    position: int
    title: str
    unmet: Sequence[str]
    requirements: Sequence[str]
    reads: Sequence[str]


@dataclass(frozen=True)
class ReportRun:
    """A row of ``ops.report_runs``; this worker generates its report, if it has claimed it."""

    id: int
    name: str
    kind: str
    period: str
    key: str
    report: Report
    row: Mapping[str, Any]
    """The row of ``for_each`` that the report is generated for; empty without ``for_each``."""
    start: datetime
    end: datetime
    reason: str | None
    attempts: int
    created_at: datetime
    differs_by_case: bool = False
    """Whether the key of an earlier run of the period differs only in upper and lower case."""
    due_at: datetime | None = None
    """When it was due; None if a person or a program requested it."""
    held_since: datetime | None = None
    unmet: tuple[str, ...] = ()
    """Why it is held, or was last."""
    unverified: tuple[str, ...] = ()
    """The requirements that are not met although it is generated."""
    held_parts: tuple[HeldPart, ...] = ()

    def held_part(self, part: str, position: int) -> HeldPart | None:
        """Return a part if it is held."""
        return next((p for p in self.held_parts if (p.part, p.position) == (part, position)), None)

    @property
    def is_preliminary(self) -> bool:
        """Whether its period was not over when it was requested."""
        return self.kind == PRELIMINARY


def run_from_row(row: RowMapping) -> ReportRun:
    """Return the run of a database row."""
    return ReportRun(
        id=row["id"],
        name=row["report"],
        kind=row["kind"],
        period=row["period"],
        key=row["key"],
        report=Report.model_validate_json(row["definition"]),
        row=row["row_values"],
        start=row["period_start"],
        end=row["period_end"],
        reason=row["reason"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        differs_by_case=row["differs_by_case"],
        due_at=row["due_at"],
        held_since=row["held_since"],
        unmet=tuple(row["unmet"]),
    )


def run_period(run: ReportRun) -> ReportPeriod | None:
    """Return the period that a run covers; None if it was requested without one."""
    kind = period_kind(run.report)
    if kind is None:
        return Interval(run.report, run.start, run.end)
    label = run.period.partition(SO_FAR)[0] if run.is_preliminary else run.period
    label = label.removesuffix(AGAIN) if run.kind == FOLLOW_UP else label
    try:
        return named_period(label, kind, run.report.timezone)
    except PermanentError:
        return None


def period_label(run: ReportRun) -> str:
    """Return the label of a run's period, or the day of the request if it has no period."""
    period = run_period(run)
    return period.label if period else f"{run.created_at:%Y-%m-%d}"


def period_file_label(run: ReportRun) -> str:
    """Return the label of a run's period as part of a file name."""
    period = run_period(run)
    label = period.file_label if period else f"{run.created_at:%Y-%m-%d}"
    return f"{label}-preliminary" if run.is_preliminary else label


def run_title(report: str, key: str, period: str) -> str:
    """Return report, key and period in one line."""
    return value_line(" ".join(filter(None, (report, f"({key})" if key else "", period))))
