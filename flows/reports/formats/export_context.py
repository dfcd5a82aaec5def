"""One export under way: its queries, and what has come of them so far.

Reads nothing itself; the formats write.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2 import sql

from flows.reports.formats.query.copy import copy_rows
from flows.reports.formats.query.sink import Write, sink
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import Query
from flows.reports.formats.registry import Progress


@dataclass
class Job:
    """What a format needs to write its file, and where it leaves what readers must know."""

    snapshot: Snapshot
    queries: Sequence[Query]
    max_rows: int | None
    raw: bool
    progress: Progress
    bom: bool = False
    rows: int = 0
    truncated: bool = False
    notes: list[str] = field(default_factory=list)
    cut: str | None = None
    """What the file says behind the rows of the last query, if it has more; never in raw files."""

    def copy(
        self,
        query: Query,
        select: sql.Composable,
        options: str,
        write: Write,
        *,
        by_row: bool = False,
    ) -> int:
        """Stream the rows of a query to ``write``, each by itself if so asked; how many there were."""
        most = sys.maxsize if by_row and self.max_rows is None else self.max_rows
        taking = sink(write, most, self.progress, self.rows)
        rows = copy_rows(self.snapshot, query, select, options, taking)
        self.counted(query, rows, truncated=taking.truncated)
        return rows

    def counted(self, query: Query, rows: int, *, truncated: bool) -> None:
        """A query is done."""
        self.rows += rows
        self.progress(self.rows)
        note = cut_note(query.title, rows) if truncated else None
        self.cut = None if self.raw else note
        if note:
            self.truncated = True
            self.notes.append(note)


def cut_note(title: str, rows: int) -> str:
    """Says that there are more rows than were written."""
    return f"{title}: only the first {rows:,} rows; there are more."
