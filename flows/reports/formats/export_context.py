"""The state of one export: its queries and options, and what was written so far.

Reads what its queries read; the formats write.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2 import sql

from flows.reports.formats.query.copy import CopyFormat, copy_rows, limit_clause
from flows.reports.formats.query.row_hash import HashedSink, RowSums, hashed_source, row_head
from flows.reports.formats.query.sink import Sink, Write, row_sink
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import PreparedQuery
from flows.reports.formats.registry import Fingerprint, ProgressCallback

NO_JOIN = sql.SQL("")


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
    """The note after the rows of the last query, if it has more or is held; never in raw files."""
    fingerprints: dict[int, Fingerprint | None] = field(
        default_factory=dict[int, Fingerprint | None]
    )
    """Of the queries that are hashed, by their position; None if it took too long to read the rows."""

    def copy(
        self,
        query: PreparedQuery,
        cells: sql.Composable,
        form: CopyFormat,
        write: Write,
        *,
        join: sql.Composable = NO_JOIN,
        by_row: bool = False,
    ) -> int:
        """Stream the rows of a query to ``write``, if ``by_row`` one per call; return their number.

        Args:
            query: The query.
            cells: SQL for what is written of a row, whose columns are those of ``q``.
            form: How it is written.
            write: Takes the rows.
            join: What ``cells`` needs besides ``q``.
            by_row: Whether each call of ``write`` takes one row.
        """
        limit = sys.maxsize if by_row and self.max_rows is None else self.max_rows
        sink = row_sink(write, limit, self.progress, self.rows)
        if query.hash_seconds is None or self.max_rows is not None:
            source = sql.Composed([query.source, join, limit_clause(self.max_rows)])
            select = sql.SQL("select {} from {}").format(cells, source)
            rows = copy_rows(self.snapshot, query, select, form.options, sink)
        else:
            rows = self._copy_hashed(query, cells, join, form, sink)
        self._record(query, rows, truncated=sink.truncated)
        return rows

    def _copy_hashed(
        self,
        query: PreparedQuery,
        cells: sql.Composable,
        join: sql.Composable,
        form: CopyFormat,
        sink: Sink,
    ) -> int:
        """Stream the rows of a query with their hashes, which the sink does not get; return their number."""
        sums = RowSums(query)
        select = sql.SQL("select {}, {} from {}{}").format(
            row_head(query.columns), cells, hashed_source(query), join
        )
        hashed = HashedSink(sink, form.delimiter, sums)
        rows = copy_rows(self.snapshot, query, select, form.options, hashed)
        position = next(n for n, each in enumerate(self.queries) if each is query)
        self.fingerprints[position] = sums.fingerprint()
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
        self.truncated = self.truncated or truncated
        text = f"only the first {rows:,} rows; there are more." if truncated else query.held
        note = f"{query.title}: {text}" if text else None
        self.truncation_note = None if self.raw else note
        if note:
            self.notes.append(note)
