"""Generate one report: run its SQL, write its files, and enqueue its message.

Reads what the report's SQL reads, in one snapshot. Writes files, then the run's row and its message in
one transaction. A process that dies before that leaves a run that is generated again. One that dies
after it leaves a message that is sent later.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, NotRequired, TypedDict

from analytics_worker.database.reader_sessions import retry_on_session_end
from analytics_worker.delivery import Recipient
from analytics_worker.disk_problems import named_disk_errors
from analytics_worker.report_storage.storage import Storage, open_storage
from analytics_worker.trust.facts import Facts
from analytics_worker.trust.stamp import checks
from flows.reports.formats import Document, get_format, open_snapshot, render_html
from flows.reports.gate.hold_time import due_again
from flows.reports.gate.part_notice import held_parts_messages
from flows.reports.output.document import report_document, with_notes
from flows.reports.output.files import (
    ProgressReporter,
    WrittenFiles,
    create_file,
    write_page,
    write_pdf,
    write_rows,
)
from flows.reports.output.message import report_message
from flows.reports.output.recipients import recipients_of
from flows.reports.output.send_conditions import content_hash, reason_to_skip
from flows.reports.output.table_queries import TableQueries
from flows.reports.restatement.parts import SentReport
from flows.reports.restatement.record import begin_record
from flows.reports.runs.model import FOLLOW_UP, ReportRun, period_label
from flows.reports.runs.store import RunStore


class ReportRunResult(TypedDict):
    """Result of one report run."""

    run: int
    report: str
    period: str
    key: str
    status: str
    """ready, skipped, held or failed."""
    rows: NotRequired[int]
    truncated: NotRequired[bool]
    notes: NotRequired[list[str]]
    files: NotRequired[list[str]]
    recipients: NotRequired[int]
    reason: NotRequired[str | None]
    error: NotRequired[str]
    children: NotRequired[list[int]]
    """Runs for the rows of ``for_each``."""


@dataclass
class _Rendered:
    """The unpublished files and the page of a report, and what is stored of it to be compared later."""

    files: WrittenFiles
    document: Document
    content_hash: str | None
    sent: SentReport | None


def generate(
    store: RunStore, run: ReportRun, progress: ProgressReporter, facts: Facts | None = None
) -> ReportRunResult:
    """Generate the report of a claimed run and record the result.

    Args:
        store: The store of the run.
        run: The run.
        progress: Is called with the rows that were written.
        facts: What is known of the data, if it was read for this run already.

    Raises:
        PermanentError: the report is at fault; nothing was published.
        OSError: the files can't be written.
        SQLAlchemyError: the database is unavailable.
    """
    recipients = recipients_of(run.report, run.row)
    storage = open_storage()
    with _unpublished_files(storage) as files:
        rendered = retry_on_session_end(lambda: _render(run, files, storage, progress, facts))
        reason = reason_to_skip(store, run, files.rows, rendered.content_hash)
        if reason is not None:
            return skip_run(store, run, reason, files.rows)
        return _finalize(store, run, rendered, storage, recipients)


def skip_run(
    store: RunStore, run: ReportRun, reason: str, rows: int | None = None
) -> ReportRunResult:
    """Record that there is nothing to send, which is not a failure."""
    store.finish(run.id, _row("skipped", reason=reason, rows=rows))
    return ReportRunResult(**result_fields(run, "skipped"), reason=reason)


def _finalize(
    store: RunStore,
    run: ReportRun,
    rendered: _Rendered,
    storage: Storage,
    recipients: list[Recipient],
) -> ReportRunResult:
    """Publish the files, record the run, and enqueue its message."""
    files, notes = rendered.files, rendered.files.notes
    if not recipients:
        notes.append("This report is not sent: it has no recipients.")
    document = with_notes(rendered.document, run, notes)
    message = report_message(run, files, document, storage, recipients)
    published = files.publish(storage)
    row = _row(
        "ready",
        rows=files.rows,
        truncated=files.truncated,
        content_hash=rendered.content_hash,
        storage=storage.name,
        files=json.dumps(published),
        bytes=sum(file["bytes"] for file in published),
        reason=run.reason,
        unverified=json.dumps(run.unverified),
        **_held_parts(run),
    )
    store.finish(run.id, row, [message, *held_parts_messages(run)], rendered.sent)
    return ReportRunResult(
        **result_fields(run, "ready"),
        rows=files.rows,
        truncated=files.truncated,
        notes=[*document.warnings, *notes],
        files=[storage.link(file["name"]) for file in published],
        recipients=len(recipients),
    )


def _row(status: str, **fields: Any) -> dict[str, Any]:
    no_files = {"files": "[]", "bytes": 0, "storage": "", "truncated": False}
    nulls = dict.fromkeys(("reason", "rows", "content_hash"))
    complete = {"unverified": "[]", "held_parts": "[]", "parts_held_until": None}
    return {"status": status, **complete, **no_files, **nulls, **fields}


def _held_parts(run: ReportRun) -> dict[str, Any]:
    """Return the fields of the parts that are held, and until when they may follow; once only."""
    is_last = run.kind == FOLLOW_UP or not run.held_parts
    parts = [each._asdict() for each in run.held_parts]
    until = None if is_last else due_again(run)
    return {"held_parts": json.dumps(parts), "parts_held_until": until}


def result_fields(run: ReportRun, status: str) -> Any:
    """Return the fields that every `ReportRunResult` has."""
    return {
        "run": run.id,
        "report": run.report.name,
        "period": period_label(run),
        "key": run.key,
        "status": status,
    }


@contextmanager
def _unpublished_files(storage: Storage) -> Generator[WrittenFiles]:
    """Discard at the end what was not published."""
    files = WrittenFiles()
    try:
        with named_disk_errors(storage.folder):  # before what takes the space is deleted
            yield files
    finally:
        files.discard()


def _render(
    run: ReportRun,
    files: WrittenFiles,
    storage: Storage,
    progress: ProgressReporter,
    facts: Facts | None,
) -> _Rendered:
    """Write all formats from one snapshot of the database."""
    report, record = run.report, begin_record(run)
    files.restart()
    session = open_snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as snapshot:
        parts = record.tables(snapshot)
        tables = TableQueries(run, frozenset(p.position for p in parts if p.problem is None))
        document = replace(report_document(snapshot, run, tables, facts), restated=record.restated)
        files.notes.extend(document.notes)
        files.footer, files.sheet_notes = _footer(document), document.table_notes
        for format_name in report.format:
            if not get_format(format_name).document:
                file = create_file(run, format_name, storage)
                files.add(file)
                write_rows(snapshot, tables, files, file, progress)
        hashed = content_hash(snapshot, run)
        sent = record.complete(snapshot, document, parts, tables.fingerprints)
    _render_pages(run, document, files, storage)
    return _Rendered(files, document, hashed, sent)


def _footer(document: Document) -> str:
    """Return what is printed on each page of a workbook."""
    age = f"{document.data_as_of_label} {document.data_as_of}"
    return " \u00b7 ".join([document.title, age, *(each.text for each in checks(document.trust))])


def _render_pages(
    run: ReportRun, document: Document, files: WrittenFiles, storage: Storage
) -> None:
    names = [name for name in run.report.format if get_format(name).document]
    if not names:
        return
    html = render_html(with_notes(document, run, files.notes), for_pdf="pdf" in names)
    for name in names:
        file = create_file(run, name, storage)
        files.add(file)
        write = write_page if name == "html" else write_pdf
        write(html, files, file, document.tables)
