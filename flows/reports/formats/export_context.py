"""The state of one export: its queries and options, and what was written so far.

Reads what its queries read; the formats write.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2 import sql

from flows.reports.formats.query.copy import copy_rows
from flows.reports.formats.query.sink import Write, row_sink
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import PreparedQuery
from flows.reports.formats.registry import ProgressCallback


@dataclass
class ExportContext:
    """The input of a format for its file, and its record of rows and notes."""

    snapshot: Snapshot
    queries: Sequence[PreparedQuery]
    max_rows: int | None
    raw: bool
    progress: ProgressCallback
    bom: bool = False
    footer: str = ""
    sheet_notes: Sequence[str] = ()
    rows: int = 0
    truncated: bool = False
    notes: list[str] = field(default_factory=list)
    truncation_note: str | None = None
    """The note after the rows of the last query, if it has more; never in raw files."""

    def copy(
        self,
        query: PreparedQuery,
        select: sql.Composable,
        options: str,
        write: Write,
        *,
        by_row: bool = False,
    ) -> int:
        """Stream the rows of a query to ``write``, if ``by_row`` one per call; return their number."""
        limit = sys.maxsize if by_row and self.max_rows is None else self.max_rows
        sink = row_sink(write, limit, self.progress, self.rows)
        rows = copy_rows(self.snapshot, query, select, options, sink)
        self._record(query, rows, truncated=sink.truncated)
        return rows

    def progress_state(self) -> tuple[int, bool, list[str], str | None]:
        """Return what `copy` records, to `restore` it before the same rows are copied again."""
        return self.rows, self.truncated, list(self.notes), self.truncation_note

    def restore(self, state: tuple[int, bool, list[str], str | None]) -> None:
        """Return to an earlier `progress_state`."""
        self.rows, self.truncated, self.notes, self.truncation_note = state

    def _record(self, query: PreparedQuery, rows: int, *, truncated: bool) -> None:
        self.rows += rows
        self.progress(self.rows)
        note = (
            f"{query.title}: only the first {rows:,} rows; there are more." if truncated else None
        )
        self.truncation_note = None if self.raw else note
        if note:
            self.truncated = True
            self.notes.append(note)
