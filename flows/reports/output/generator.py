"""Make one report: run its SQL, write its files, and enqueue its message.

Reads what the report's SQL reads, in one snapshot. Writes files, then the run's row and its message in
one transaction: a process that dies before that leaves a run that is made again, one that dies after it
leaves a message that is sent later.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NotRequired, TypedDict

from analytics_worker.database.reader_sessions import retry_on_session_end
from analytics_worker.delivery import Recipient
from analytics_worker.report_storage.storage import Storage, storage
from flows.reports.formats import Document, format_named, render_html, snapshot
from flows.reports.output.document import page, with_notes
from flows.reports.output.files import (
    Content,
    Progress,
    about,
    draft,
    write_page,
    write_pdf,
    write_rows,
)
from flows.reports.output.message import report_message
from flows.reports.output.recipients import recipients_of
from flows.reports.output.send_conditions import content_hash, reason_to_skip
from flows.reports.runs.store import Ledger, Run


class Made(TypedDict):
    """What became of one report run."""

    run: int
    report: str
    period: str
    key: str
    status: str
    """ready, skipped or failed."""
    rows: NotRequired[int]
    truncated: NotRequired[bool]
    notes: NotRequired[list[str]]
    files: NotRequired[list[str]]
    recipients: NotRequired[int]
    reason: NotRequired[str | None]
    error: NotRequired[str]
    children: NotRequired[list[int]]
    """Of a report that is made for each row of a query: their runs."""


@dataclass
class _Written:
    """What came of the SQL."""

    content: Content
    document: Document
    hashed: str | None


def make(book: Ledger, run: Run, progress: Progress) -> Made:
    """Make a claimed run and write down what became of it.

    Raises:
        PermanentError: the report is at fault; nothing was published.
        OSError: the files can't be written.
        SQLAlchemyError: the database is away.
    """
    recipients = recipients_of(run.report, run.row)
    place = storage()
    with _drafts() as content:
        written = retry_on_session_end(lambda: _write(run, content, place, progress))
        reason = reason_to_skip(book, run, content.rows, written.hashed)
        if reason is not None:
            return skip(book, run, reason, content.rows)
        return _deliverable(book, run, written, place, recipients)


def skip(book: Ledger, run: Run, reason: str, rows: int | None = None) -> Made:
    """There is nothing to send, and that is no failure."""
    book.finish(run.id, _row("skipped", reason=reason, rows=rows))
    return Made(**summary(run, "skipped"), reason=reason)


def _deliverable(
    book: Ledger, run: Run, written: _Written, place: Storage, recipients: list[Recipient]
) -> Made:
    """Publish the files, and enqueue the message for those who get them."""
    content, notes = written.content, written.content.notes
    if not recipients:
        notes.append("Nobody gets this report: it has no recipients.")
    document = with_notes(written.document, run, notes)
    message = report_message(run, content, document, place, recipients)
    files = content.publish(place)
    row = _row(
        "ready",
        rows=content.rows,
        truncated=content.truncated,
        content_hash=written.hashed,
        storage=place.name,
        files=json.dumps(files),
        bytes=sum(file["bytes"] for file in files),
    )
    book.finish(run.id, row, message)
    return Made(
        **summary(run, "ready"),
        rows=content.rows,
        truncated=content.truncated,
        notes=[*document.warnings, *notes],
        files=[place.link(file["name"]) for file in files],
        recipients=len(recipients),
    )


def _row(status: str, **fields: Any) -> dict[str, Any]:
    nothing = {"files": "[]", "bytes": 0, "storage": "", "truncated": False}
    unknown = dict.fromkeys(("reason", "rows", "content_hash"))
    return {"status": status, **nothing, **unknown, **fields}


def summary(run: Run, status: str) -> Any:
    """The fields that every outcome has."""
    return {
        "run": run.id,
        "report": run.report.name,
        "period": about(run),
        "key": run.key,
        "status": status,
    }


@contextmanager
def _drafts() -> Generator[Content]:
    """Files that are published, or leave nothing behind."""
    content = Content()
    try:
        yield content
    finally:
        content.discard()


def _write(run: Run, content: Content, place: Storage, progress: Progress) -> _Written:
    """All formats, of one moment of the database."""
    report = run.report
    content.restart()
    session = snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as moment:
        document = page(moment, run, datetime.now(UTC))
        for format_name in report.format:
            if not format_named(format_name).document:
                made = draft(run, format_name, place)
                content.drafts.append(made)
                write_rows(moment, run, content, made, progress)
        hashed = content_hash(moment, run)
    _draw(run, document, content, place)
    return _Written(content, document, hashed)


def _draw(run: Run, document: Document, content: Content, place: Storage) -> None:
    """The formats that are pages."""
    names = [name for name in run.report.format if format_named(name).document]
    if not names:
        return
    html = render_html(with_notes(document, run, content.notes))
    for name in names:
        made = draft(run, name, place)
        content.drafts.append(made)
        writer = write_page if name == "html" else write_pdf
        writer(html, content, made, document.tables)
