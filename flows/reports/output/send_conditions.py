"""Whether a report that was written is sent: ``only_if`` there are rows, none, or other ones than before.

Reads the report's rows once more to sum them up, in the same snapshot; and what the last run had.
"""

import hashlib

from psycopg2 import sql

from flows.reports.formats import Snapshot
from flows.reports.formats.query.copy import copy_rows
from flows.reports.formats.query.statement import prepared
from flows.reports.output.files import table
from flows.reports.runs.store import Ledger, Run


class RowHash:
    """Takes the rows of a query as COPY sends them, and sums them up whatever their order."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.truncated = False
        self._sum = 0

    def write(self, data: bytes, /) -> None:
        """One row."""
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(data).digest()[:16])) % (1 << 128)

    def finish(self, rows: int) -> int:
        """Nothing is held back."""
        return rows

    def text(self) -> str:
        """Of everything so far."""
        return f"{self._sum:032x}"


def content_hash(moment: Snapshot, run: Run) -> str | None:
    """Of all rows of all queries, if the report is only sent when they changed."""
    if run.report.only_if != "changed":
        return None
    hashes: list[str] = []
    for each in run.report.tables:
        query, rows = prepared(moment, table(each, run)), RowHash()
        copy_rows(moment, query, sql.SQL("select * from ") + query.source, "format text", rows)
        hashes.append(rows.text())
    return "".join(hashes)


def reason_to_skip(book: Ledger, run: Run, rows: int, hashed: str | None) -> str | None:
    """Why the report is not sent; None if it is."""
    match run.report.only_if:
        case "rows" if rows == 0:
            return "there are no rows"
        case "no_rows" if rows:
            return f"there are {rows:,} rows"
        case "changed" if hashed == book.last_hash(run):
            return "nothing changed since the last time"
        case _:
            return None
