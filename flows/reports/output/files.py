"""Write the files of one report run below temporary names, and publish them.

Reads what the report's SQL reads, in one snapshot; writes files below temporary names and renames them.
Generating a run again writes the same names again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypedDict

from analytics_worker import run_lease
from analytics_worker.report_storage.file_names import distinct_name, name_with_hash, slugify
from analytics_worker.report_storage.storage import Storage
from flows.reports.formats import (
    ExportResult,
    FetchedRows,
    Html,
    Snapshot,
    explain_query,
    export,
    get_format,
    render_pdf,
)
from flows.reports.output.table_queries import TableQueries
from flows.reports.runs.model import ReportRun, period_file_label


class ProgressReporter(Protocol):
    """Reports how far an export is."""

    def expect(self, rows: int) -> None:
        """Set the number of rows that the planner expects."""
        ...

    def update(self, rows: int) -> None:
        """Set the number of rows written so far."""
        ...


class StoredFile(TypedDict):
    """A file as ``ops.report_runs`` stores it."""

    name: str
    """Name in the storage; of a user's text it contains only the slug."""
    attach_as: str
    format: str
    media_type: str
    bytes: int
    rows: int


@dataclass
class UnpublishedFile:
    """A file below a temporary name, and what will be stored about it."""

    temporary: Path
    stored: StoredFile


@dataclass
class WrittenFiles:
    """The unpublished files of a run, and what all of them contain together."""

    files: list[UnpublishedFile] = field(default_factory=list[UnpublishedFile])
    rows: int = 0
    truncated: bool = False
    notes: list[str] = field(default_factory=list[str])
    footer: str = ""
    """Title of the report and age of its data, for the printed pages of a workbook."""
    sheet_notes: Sequence[str] = ()
    """Which tables lack data, for the notes of a workbook."""

    def add(self, file: UnpublishedFile) -> None:
        """Add a file that is about to be written."""
        self.files.append(file)

    def record(self, exported: ExportResult) -> None:
        """Add what one more format of the same rows contains."""
        self.rows = max(self.rows, exported.rows)
        self.truncated = self.truncated or exported.truncated
        self.notes += [note for note in exported.notes if note not in self.notes]

    def restart(self) -> None:
        """Discard everything that was written so far."""
        self.discard()
        self.files, self.rows, self.truncated, self.notes = [], 0, False, []

    def publish(self, storage: Storage) -> list[StoredFile]:
        """Rename all files to their final names."""
        for file in self.files:
            run_lease.check()
            storage.publish(file.temporary, file.stored["name"])
        return [file.stored for file in self.files]

    def discard(self) -> None:
        """Delete the files that were not published."""
        for file in self.files:
            file.temporary.unlink(missing_ok=True)


def file_names(run: ReportRun, format_name: str) -> tuple[str, str]:
    """Return the name in the storage, which the run makes unique, and that of the attachment."""
    suffix = get_format(format_name).file_suffix(len(run.report.tables))
    period = period_file_label(run)
    name = slugify(run.report.name)
    key = name_with_hash(run.key) if run.differs_by_case else distinct_name(run.key)
    parts = [name, key, period] if run.key else [name, period]
    return f"{name}-{run.id}-{period}{suffix}", f"{'-'.join(parts)}{suffix}"


def create_file(run: ReportRun, format_name: str, storage: Storage) -> UnpublishedFile:
    """Create an empty file to write to."""
    file_format = get_format(format_name)
    name, attach_as = file_names(run, format_name)
    stored = StoredFile(
        name=name,
        attach_as=attach_as,
        format=file_format.name,
        media_type=file_format.file_media_type(len(run.report.tables)),
        bytes=0,
        rows=0,
    )
    return UnpublishedFile(storage.temporary(name), stored)


def write_rows(
    snapshot: Snapshot,
    tables: TableQueries,
    files: WrittenFiles,
    file: UnpublishedFile,
    progress: ProgressReporter,
) -> None:
    """Write one of the formats that stream rows."""
    report, queries = tables.run.report, tables.of_file()
    progress.expect(sum(explain_query(snapshot, query).rows for query in queries))
    exported = export(
        snapshot,
        queries,
        file.temporary,
        file.stored["format"],
        max_rows=report.max_rows,
        raw=report.raw,
        bom=report.bom,
        footer=files.footer,
        sheet_notes=files.sheet_notes,
        progress=progress.update,
    )
    tables.add(exported.fingerprints)
    file.stored["bytes"], file.stored["rows"] = exported.size, exported.rows
    files.record(exported)


def write_page(
    html: Html, files: WrittenFiles, file: UnpublishedFile, tables: Sequence[FetchedRows]
) -> None:
    """Write the page for a browser."""
    file.temporary.write_text(html.text)
    _record_page(html, files, file, tables)


def write_pdf(
    html: Html, files: WrittenFiles, file: UnpublishedFile, tables: Sequence[FetchedRows]
) -> None:
    """Write the page as PDF, in a process with limited memory and time."""
    render_pdf(html, file.temporary)
    _record_page(html, files, file, tables)


def _record_page(
    html: Html, files: WrittenFiles, file: UnpublishedFile, tables: Sequence[FetchedRows]
) -> None:
    """Record a page, and a note for each shortened table: truncated only if no file has all rows."""
    has_all = any(not get_format(each.stored["format"]).document for each in files.files)
    rows = sum(len(table.rows) for table in tables)
    file.stored["bytes"], file.stored["rows"] = file.temporary.stat().st_size, rows
    notes = html.omitted + tuple(
        f"{table.title}: the page shows the first {len(table.rows):,} rows; there are more."
        for table in tables
        if table.truncated
    )
    truncated = bool(notes) and not has_all
    files.record(ExportResult(rows, file.stored["bytes"], truncated, notes, ()))
