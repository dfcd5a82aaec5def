"""Compose the message to the owner of a report whose readers have other numbers than those of now.

Reads settings; writes nothing. Every text from data is one line without control characters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from analytics_worker.delivery import Content, Message
from analytics_worker.delivery.message import Fact
from analytics_worker.text import counted, one_line, value_line
from flows.reports.restatement.comparison import Change
from flows.reports.restatement.store import Delivered
from flows.reports.restatement.texts import change_text
from flows.reports.runs.model import ReportRun, period_label, run_period
from flows.reports.runs.owner_message import owners_of

MAX_LINES = 50
MAX_READERS = 10
MAX_DOCUMENTS = 100
"""Number of runs, and of changes in each, in the JSON of a message."""


@dataclass(frozen=True)
class RestatedRun:
    """A run, what its owner is notified of, and who has the report.

    Attributes:
        changes: What is different, and the owner does not know.
        returned: What was different, and is as it was sent again.
    """

    run: ReportRun
    changes: Sequence[Change]
    returned: Sequence[Change]
    readers: Sequence[Delivered]
    unchanged_until: datetime
    noticed_at: datetime
    complete_through: datetime | None


def was_incomplete(run: ReportRun, complete_through: datetime | None) -> bool:
    """Whether the period of a run was known to be incomplete when it was sent."""
    return complete_through is not None and complete_through < run.end


def incomplete_lines(run: ReportRun, complete_through: datetime | None) -> list[str]:
    """Return a line if the period of a run was known to be incomplete when it was sent."""
    if complete_through is None or complete_through >= run.end:
        return []
    through = time_text(complete_through)
    return [f"the period was not complete when it was sent: complete through {through}"]


def restatement_message(restated: Sequence[RestatedRun]) -> Message:
    """Compose one message about the runs of a report, in the order of their periods."""
    run = restated[-1].run
    recipients = owners_of(run)
    return Message(
        domain="reports",
        kind="report_restated",
        content=_content(restated, run),
        recipients=recipients,
        owner=run.report.owner,
        reference=str(max(each.run.id for each in restated)),
    )


def _content(restated: Sequence[RestatedRun], run: ReportRun) -> Content:
    is_over = not any(each.changes for each in restated)
    count = len(restated)
    what = _named_period(run) if count == 1 else counted(count, "period")
    verb = "As sent again" if is_over else "Restated"
    subject = one_line(f"{verb}: {run.report.heading} ({what})")
    lines = _shortened([line for each in restated for line in _lines(each)])
    return Content(
        subject=subject,
        headline=subject,
        text=_text(restated, run, lines, is_over=is_over),
        json={
            "event": "report_restated",
            "subject": subject,
            "report": run.report.name,
            "title": run.report.heading,
            "runs": [_document(each) for each in restated[-MAX_DOCUMENTS:]],
        },
        severity="warning",
        facts=(Fact(label="Report", value=value_line(run.report.name)),),
        items=tuple(line.strip() for line in lines),
    )


def period_text(run: ReportRun) -> str:
    """Return the period of a run for readers."""
    period = run_period(run)
    return period.text if period else period_label(run)


def _named_period(run: ReportRun) -> str:
    """Return the period of a run with its key."""
    return value_line(", ".join(filter(None, (period_text(run), run.key))))


def _lines(restated: RestatedRun) -> Iterator[str]:
    """Yield what is different in a run, and who has it."""
    run = restated.run
    yield f"{_named_period(run)} (run {run.id}), sent {readers_text(restated.readers)}"
    yield from (f"  {change_text(each)}" for each in restated.changes)
    yield from (f"  {change_text(each)}: is as it was sent again" for each in restated.returned)
    if restated.changes:
        since, noticed = time_text(restated.unchanged_until), time_text(restated.noticed_at)
        yield f"  changed after {since}, noticed {noticed}"
    yield from (f"  {line}" for line in incomplete_lines(run, restated.complete_through))


def readers_text(readers: Sequence[Delivered]) -> str:
    """Return when a report was sent, and to whom."""
    if not readers:
        return "to no recipient"
    named = [value_line(each, 100) for each in _named(readers)]
    names = ", ".join(named[:MAX_READERS])
    more = len(readers) - len(named[:MAX_READERS])
    others = counted(more, "other recipient" if named else "recipient") if more else ""
    first = next((each.sent_at for each in readers if each.sent_at), None)
    when = f"{time_text(first)} " if first else ""
    return f"{when}to {' and '.join(filter(None, (names, others)))}"


def _named(readers: Sequence[Delivered]) -> list[str]:
    """Return the readers whom the others may know: those of blind copies are not named."""
    return [each.recipient for each in readers if each.role != "bcc"]


def time_text(at: datetime) -> str:
    """Return an instant for readers."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _shortened(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_LINES
    return [*lines[:MAX_LINES], *([f"… and {counted(more, 'more line')}"] if more > 0 else [])]


def _text(
    restated: Sequence[RestatedRun], run: ReportRun, lines: Sequence[str], *, is_over: bool
) -> str:
    first = (
        "The numbers of this report are as they were sent again."
        if is_over
        else "Since this report was sent, its numbers have changed. Its next run shows it to its readers."
    )
    commands = [f"analytics-worker reports diff {each.run.id}" for each in restated[-3:]]
    hint = "Numbers that are meant to change after they are sent: set `restatement: false` for this report."
    parts = [
        first,
        "",
        f"Report: {value_line(run.report.name)}",
        *lines,
        "",
        "To compare it with now, run",
        *commands,
        *([] if is_over else ["", hint]),
    ]
    return "\n".join(parts) + "\n"


def _document(restated: RestatedRun) -> dict[str, Any]:
    run = restated.run
    return {
        "run": run.id,
        "key": run.key,
        "period": period_label(run),
        "recipients": _named(restated.readers),
        "unchanged_until": restated.unchanged_until.isoformat(),
        "noticed_at": restated.noticed_at.isoformat(),
        "was_incomplete": was_incomplete(run, restated.complete_through),
        "changes": [change_document(each) for each in restated.changes[:MAX_DOCUMENTS]],
        "returned": [change_document(each) for each in restated.returned[:MAX_DOCUMENTS]],
    }


def change_document(change: Change) -> dict[str, Any]:
    """Return a change for programs: its numbers as texts with all their digits."""
    return {
        "part": change.part,
        "title": change.title,
        "label": change.label,
        "before": change.before,
        "after": change.after,
        "unit": change.unit,
    }
