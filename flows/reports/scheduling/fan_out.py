"""A report for each row of a query: the run that finds the rows asks for one run for each.

Reads what the query of ``for_each`` reads; writes runs. Safe to repeat: there is one run per key.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from analytics_worker.database.reader_sessions import retry_on_session_end
from analytics_worker.definitions.yaml_definitions import did_you_mean
from flows.reports.definitions.model import ForEach
from flows.reports.formats import FormatError, Found, Table, fetch, snapshot
from flows.reports.output.files import values
from flows.reports.output.generator import Made, skip, summary
from flows.reports.runs.requests import wanted
from flows.reports.runs.store import Ledger, Run

MOST_ROWS = 1000
LONGEST_KEY = 200


def expand(book: Ledger, run: Run, each: ForEach) -> Made:
    """Ask for the runs.

    Raises:
        FormatError: the rows have no such column, too many, or the same key twice.
    """
    rows = _keyed(retry_on_session_end(lambda: _found(run, each)), each)
    fields = {"period": run.period, "period_start": run.start, "period_end": run.end}
    asked = book.ask(
        [
            wanted(run.report, run.name, run.kind, None, key=key, row_values=row, **fields)
            for key, row in rows.items()
        ]
    )
    made = skip(book, run, f"made for each of {len(rows)} rows")
    return Made(
        **summary(run, "skipped"), reason=made.get("reason"), children=[a.id for a in asked]
    )


def _found(run: Run, each: ForEach) -> Found:
    report = run.report
    session = snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as moment:
        return fetch(moment, Table("for_each", each.sql, values(run)), MOST_ROWS)


def _keyed(found: Found, each: ForEach) -> dict[str, dict[str, Any]]:
    """The rows by key."""
    for column in filter(None, (each.key, each.to)):
        if column not in found.names:
            raise FormatError(
                f"for_each has no column {column!r}{did_you_mean(column, found.names)}"
            )
    if found.truncated:
        raise FormatError(f"for_each has more than {MOST_ROWS} rows; make it select fewer")
    rows: dict[str, dict[str, Any]] = {}
    for values_of in found.rows:
        row = {name: _plain(v) for name, v in zip(found.names, values_of, strict=True)}
        key = "".join(c for c in str(row[each.key]) if c.isprintable())[:LONGEST_KEY]
        if not key or key in rows:
            raise FormatError(f"for_each: the key {key!r} is {'there twice' if key else 'empty'}")
        rows[key] = row
    return rows


def _plain(value: Any) -> Any:
    """What the ledger can keep: exact numbers and dates as text, which PostgreSQL reads as such."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
