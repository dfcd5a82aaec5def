"""Decide by ``only_if`` whether a report is sent: if it has rows, none, or rows that changed.

For ``changed``, reads the report's rows once more in the same snapshot to hash them, and the hash of the
previous run; writes nothing.
"""

import hashlib

from psycopg2 import sql

from flows.reports.formats import Snapshot, TableQuery
from flows.reports.formats.query.copy import copy_rows
from flows.reports.formats.query.statement import prepare_query
from flows.reports.runs.model import FOLLOW_UP, ReportRun
from flows.reports.runs.store import RunStore
from flows.reports.scheduling.period_parameters import sql_parameters


class RowHash:
    """A sink of COPY that hashes rows, independent of their order."""

    def __init__(self) -> None:
        self.truncated = False
        self._sum = 0

    def write(self, data: bytes, /) -> None:
        """Add one row."""
        self._sum = (self._sum + int.from_bytes(hashlib.sha256(data).digest()[:16])) % (1 << 128)

    def finish(self, rows: int) -> int:
        """Return the number of rows: none are buffered."""
        return rows

    def hexdigest(self) -> str:
        """Return the hash of all rows so far."""
        return f"{self._sum:032x}"


def content_hash(snapshot: Snapshot, run: ReportRun) -> str | None:
    """Return the hash of all rows of all queries; None unless the report is sent on changes only."""
    if run.report.only_if != "changed":
        return None
    parameters = sql_parameters(run)
    hashes: list[str] = []
    for each in run.report.tables:
        query = prepare_query(snapshot, TableQuery(each.title, each.sql, parameters))
        rows = RowHash()
        copy_rows(snapshot, query, sql.SQL("select * from ") + query.source, "format text", rows)
        hashes.append(rows.hexdigest())
    return "".join(hashes)


def reason_to_skip(store: RunStore, run: ReportRun, rows: int, new_hash: str | None) -> str | None:
    """Return why the report is not sent; None if it is.

    A follow-up is sent because the report of before was, and one with a table that is held because its rows are
    not known.
    """
    if run.kind == FOLLOW_UP or any(each.part == "table" for each in run.held_parts):
        return None
    match run.report.only_if:
        case "rows" if rows == 0:
            return "there are no rows"
        case "no_rows" if rows:
            return f"there are {rows:,} rows"
        case "changed" if new_hash == store.previous_content_hash(run):
            return "nothing changed since the last time"
        case _:
            return None
