"""The files of one report run: written, judged, and only then published.

Reads what the report's SQL reads, in one snapshot; writes files below temporary names and renames
them. Making a run again writes the same names again.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypedDict

from analytics_worker.errors import PermanentError
from analytics_worker.report_storage.storage import Storage
from flows.reports.definitions.model import Query
from flows.reports.formats import (
    Exported,
    Found,
    Html,
    Snapshot,
    Table,
    export,
    format_named,
    planned,
    render_pdf,
)
from flows.reports.runs.store import Run
from flows.reports.scheduling.periods import Period, named_period

SLUG_LENGTH = 60


class Progress(Protocol):
    """Hears how far an export is."""

    def expect(self, rows: int) -> None:
        """About so many rows will come."""
        ...

    def update(self, rows: int) -> None:
        """So many are written."""
        ...


class StoredFile(TypedDict):
    """A file as the ledger knows it."""

    name: str
    """In the storage; never made of a user's text but for its slug."""
    attach_as: str
    format: str
    media_type: str
    bytes: int
    rows: int


@dataclass
class Draft:
    """A file that has no name yet."""

    temporary: Path
    file: StoredFile


@dataclass
class Content:
    """What was written, over all formats."""

    drafts: list[Draft] = field(default_factory=list[Draft])
    rows: int = 0
    truncated: bool = False
    notes: list[str] = field(default_factory=list[str])

    def add(self, exported: Exported) -> None:
        """One more format of the same rows."""
        self.rows = max(self.rows, exported.rows)
        self.truncated = self.truncated or exported.truncated
        self.notes += [note for note in exported.notes if note not in self.notes]

    def restart(self) -> None:
        """As if nothing had been written."""
        self.discard()
        self.drafts, self.rows, self.truncated, self.notes = [], 0, False, []

    def publish(self, place: Storage) -> list[StoredFile]:
        """Give all files their names."""
        for draft in self.drafts:
            place.publish(draft.temporary, draft.file["name"])
        return [draft.file for draft in self.drafts]

    def discard(self) -> None:
        """Leave nothing behind."""
        for draft in self.drafts:
            draft.temporary.unlink(missing_ok=True)


def slug(text: str) -> str:
    """A text as part of a file's name: lower-case letters, digits and single hyphens."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:SLUG_LENGTH].strip("-")
    return plain or "report"


def file_names(run: Run, format_name: str) -> tuple[str, str]:
    """Name in the storage, and name of the attachment."""
    suffix = format_named(format_name).file_suffix(len(run.report.tables))
    when = slug(about(run))
    start = slug(run.report.name)
    return f"{start}-{run.id}-{when}{suffix}", f"{start}-{when}{suffix}"


def about(run: Run) -> str:
    """The label of its period; of a run that was asked for without one, the day."""
    period = run_period(run)
    return period.label if period else f"{run.created_at:%Y-%m-%d}"


def run_period(run: Run) -> Period | None:
    """The period that a run is about; None for one that was asked for without."""
    kind = run.report.schedule if run.report.schedule != "manual" else "daily"
    try:
        return named_period(run.period, kind, run.report.timezone)
    except PermanentError:
        return None


def values(run: Run, period: Period | None = None) -> dict[str, Any]:
    """What the SQL may use by name."""
    bound = {name: each.bound for name, each in run.report.parameters.items()}
    start, end = (period.start, period.end) if period else (run.start, run.end)
    return {**bound, **run.row, "period_start": start, "period_end": end}


def table(query: Query, run: Run) -> Table:
    """A query of the report, ready to run."""
    return Table(query.title, query.sql, values(run))


def draft(run: Run, format_name: str, place: Storage) -> Draft:
    """An empty file to write to."""
    chosen = format_named(format_name)
    name, attach_as = file_names(run, format_name)
    file = StoredFile(
        name=name,
        attach_as=attach_as,
        format=chosen.name,
        media_type=chosen.file_media_type(len(run.report.tables)),
        bytes=0,
        rows=0,
    )
    return Draft(place.temporary(name), file)


def write_rows(
    moment: Snapshot, run: Run, content: Content, made: Draft, progress: Progress
) -> None:
    """One of the formats that stream."""
    tables = [table(query, run) for query in run.report.tables]
    progress.expect(sum(planned(moment, each).rows for each in tables))
    exported = export(
        moment,
        tables,
        made.temporary,
        made.file["format"],
        max_rows=run.report.max_rows,
        raw=run.report.raw,
        bom=run.report.bom,
        progress=progress.update,
    )
    made.file["bytes"], made.file["rows"] = exported.size, exported.rows
    content.add(exported)


def write_page(html: Html, content: Content, made: Draft, found: Sequence[Found]) -> None:
    """A page for people."""
    made.temporary.write_text(html.text)
    _shown(content, made, found)


def write_pdf(html: Html, content: Content, made: Draft, found: Sequence[Found]) -> None:
    """The same page on paper, drawn by another process with little memory and time."""
    render_pdf(html, made.temporary)
    _shown(content, made, found)


def _shown(content: Content, made: Draft, found: Sequence[Found]) -> None:
    """A page has some rows of each table, and says so; that is no cut if another file has all."""
    whole = any(not format_named(draft.file["format"]).document for draft in content.drafts)
    rows = sum(len(each.rows) for each in found)
    made.file["bytes"], made.file["rows"] = made.temporary.stat().st_size, rows
    notes = tuple(
        f"{each.title}: the page shows the first {len(each.rows):,} rows; there are more."
        for each in found
        if each.truncated
    )
    content.add(Exported(rows, made.file["bytes"], bool(notes) and not whole, notes, ()))
