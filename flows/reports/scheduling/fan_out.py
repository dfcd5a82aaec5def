"""A report for each row of a query: the run that finds the rows asks for one run for each.

Reads what the query of ``for_each`` reads; writes runs. Safe to repeat: there is one run per key. A key
that several rows have, or that is empty, is a run without a row, which fails for itself: which of the rows
is meant, and so who gets its report, is not known.
"""

import hashlib
import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from analytics_worker.database.reader_sessions import once_more
from analytics_worker.definitions.yaml_definitions import instead
from analytics_worker.text import one_line
from flows.reports.definitions.model import ForEach
from flows.reports.formats import FormatError, Found, Table, fetch, snapshot
from flows.reports.output.files import values
from flows.reports.output.generator import Made, skip, summary
from flows.reports.runs.requests import wanted
from flows.reports.runs.store import Ledger, Run

MOST_ROWS = 1000
LONGEST_KEY = 200
_HASHED = re.compile(r"#[0-9a-f]{32}")
Row = dict[str, Any]


def expand(book: Ledger, run: Run, each: ForEach) -> Made:
    """Ask for the runs.

    Raises:
        FormatError: the rows have no such column, or there are too many.
    """
    found = once_more(lambda: _found(run, each))
    fields = {"period": run.period, "period_start": run.start, "period_end": run.end}
    asked = book.ask(
        [
            wanted(
                run.report,
                run.name,
                run.kind,
                None,
                key=key,
                row_values=_only(rows, each),
                **fields,
            )
            for key, rows in _by_key(found, each).items()
        ]
    )
    made = skip(book, run, f"made for each of {len(found.rows)} rows")
    return Made(
        **summary(run, "skipped"), reason=made.get("reason"), children=[a.id for a in asked]
    )


def row_of(run: Run, each: ForEach) -> Row:
    """The row of a run whose key was not one row's, in case that the data is right now.

    Raises:
        FormatError: it still is not.
    """
    rows = _by_key(once_more(lambda: _found(run, each)), each).get(run.key, [])
    if row := _only(rows, each):
        return row
    key = one_line(_text(rows[0][each.key]), 80) if rows else run.key
    problem = f"is in {len(rows)} rows" if key else "is empty"
    raise FormatError(f"for_each: the key {key!r} {problem}; give each row a key of its own")


def _only(rows: list[Row], each: ForEach) -> Row:
    """The row of a key; an empty one if that is none or several, or if the key is empty."""
    return rows[0] if len(rows) == 1 and _text(rows[0][each.key]) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _found(run: Run, each: ForEach) -> Found:
    report = run.report
    session = snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as moment:
        return fetch(moment, Table("for_each", each.sql, values(run)), MOST_ROWS)


def _by_key(found: Found, each: ForEach) -> dict[str, list[Row]]:
    """The rows of each run."""
    for column in filter(None, (each.key, each.to)):
        if column not in found.names:
            raise FormatError(f"for_each has no column {column!r}{instead(column, found.names)}")
    if found.truncated:
        raise FormatError(f"for_each has more than {MOST_ROWS} rows; make it select fewer")
    rows: dict[str, list[Row]] = {}
    for values_of in found.rows:
        row = {name: _plain(v) for name, v in zip(found.names, values_of, strict=True)}
        rows.setdefault(_run_key(row[each.key]), []).append(row)
    return rows


def _run_key(value: Any) -> str:
    """A key as runs have it: different for different values; a hash stands for what is not shown."""
    text = _text(value)
    if text and text.isprintable() and len(text) <= LONGEST_KEY and not _HASHED.search(text):
        return text
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
    shown = "".join(c for c in text if c.isprintable())[: LONGEST_KEY - len(digest) - 3]
    return f"{shown}\u2026 #{digest}" if shown else f"#{digest}"


def _plain(value: Any) -> Any:
    """What the ledger can keep: exact numbers and dates as text, which PostgreSQL reads as such."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
