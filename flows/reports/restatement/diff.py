"""Compare one run with now: what ``analytics-worker reports diff RUN`` shows.

Reads what the run sent and, as the report's reader, what its SQL reads; writes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError
from analytics_worker.text import one_line, value_line
from flows.reports.restatement.comparison import Comparison, compare
from flows.reports.restatement.message import (
    change_document,
    incomplete_lines,
    period_text,
    readers_text,
    was_incomplete,
)
from flows.reports.restatement.parts import Part
from flows.reports.restatement.reading import current_parts
from flows.reports.restatement.store import (
    Delivered,
    StoredComparison,
    delivered,
    read_comparison,
)
from flows.reports.restatement.texts import change_text
from flows.reports.runs.model import FOLLOW_UP, ReportRun, period_label, run_from_row


class NotComparedError(PermanentError):
    """The run can't be compared; the message says why, and which runs can be."""


class RunDiff(NamedTuple):
    """What a run sent, to whom, and how that compares with now."""

    run: ReportRun
    stored: StoredComparison
    readers: Sequence[Delivered]
    comparison: Comparison

    @property
    def not_compared(self) -> list[Part]:
        """The parts that are not compared; the problem of each says why."""
        return [part for part in self.stored.parts if part.problem]


def diff_run(run_id: int) -> RunDiff:
    """Run the SQL of a run again for its period, and compare the result with what was sent.

    Raises:
        NotComparedError: there is no such run, or what it sent is not stored.
        SQLAlchemyError: the database is unavailable.
    """
    with warehouse() as connection:
        rows = run_sql(connection, "reports/read", id=run_id)
        stored = read_comparison(connection, run_id)
        if not rows or stored is None:
            raise NotComparedError(_reason(connection, run_id, rows))
        readers = delivered(connection, run_id)
    run = run_from_row(rows[0])
    parts = [part for part in stored.parts if part.problem is None]
    comparison = compare(parts, current_parts(run, parts, run.report.timeout * max(len(parts), 1)))
    return RunDiff(run, stored, readers, comparison)


def _reason(connection: Connection, run_id: int, rows: Sequence[RowMapping]) -> str:
    row = rows[0] if rows else None
    if row is None:
        reason = f"There is no run {run_id}"
    elif row["status"] != "ready":
        reason = f"Run {run_id} is {row['status']}; it sent nothing"
    elif row["kind"] in {"preliminary", "ad_hoc", FOLLOW_UP}:
        reason = f"Run {run_id} is {row['kind'].replace('_', '-')}; its numbers are not compared"
    else:
        reason = (
            f"What run {run_id} sent is not stored: REPORT_RESTATEMENT_DAYS or `restatement` of its report was"
            " off, or it is older than this version"
        )
    latest = [each["label"] for each in run_sql(connection, "reports/compared_runs")]
    if not latest:
        return f"{reason}. No run can be compared yet"
    return "\n".join([f"{reason}. The latest runs that can be compared:", *latest])


def diff_lines(diff: RunDiff) -> Iterator[str]:
    """Yield the lines that describe a comparison."""
    run, result = diff.run, diff.comparison
    key = f", {value_line(run.key)}" if run.key else ""
    yield f"run {run.id}  {value_line(run.report.heading)} – {period_text(run)}{key}"
    yield f"sent {readers_text(diff.readers)}"
    yield from incomplete_lines(run, diff.stored.complete_through)
    yield from (f"changed       {change_text(each)}" for each in result.changes)
    yield from (f"error         {_problem_text(part)}" for part in result.failed)
    yield from (f"as sent       {value_line(part.title)}" for part in result.same)
    yield from (f"not compared  {_problem_text(part)}" for part in diff.not_compared)


def _problem_text(part: Part) -> str:
    title = value_line(part.title)
    problem = one_line(part.problem or "")
    return problem if problem.startswith(f"{title}: ") else f"{title}: {problem}"


def diff_document(diff: RunDiff) -> dict[str, Any]:
    """Return a comparison for programs."""
    run, stored, result = diff.run, diff.stored, diff.comparison
    through = stored.complete_through
    return {
        "run": run.id,
        "report": run.report.name,
        "key": run.key,
        "period": period_label(run),
        "period_start": run.start.isoformat(),
        "period_end": run.end.isoformat(),
        "recipients": [
            {**each._asdict(), "sent_at": each.sent_at and each.sent_at.isoformat()}
            for each in diff.readers
        ],
        "complete_through": through and through.isoformat(),
        "was_incomplete": was_incomplete(run, through),
        "changes": [change_document(each) for each in result.changes],
        "errors": [_part_document(part) for part in result.failed],
        "as_sent": [{"part": part.kind, "title": part.title} for part in result.same],
        "not_compared": [_part_document(part) for part in diff.not_compared],
    }


def _part_document(part: Part) -> dict[str, Any]:
    return {"part": part.kind, "title": part.title, "reason": part.problem}
