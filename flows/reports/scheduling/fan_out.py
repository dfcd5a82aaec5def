"""Fan out a report over the rows of its ``for_each`` query: one run for each row.

Reads what the query of ``for_each`` reads; writes runs. Safe to repeat: there is one run per key. A key
that several rows have, or that is empty, is a run without a row, which fails for itself: it is not known
which of the rows is meant, and so who gets its report.
"""

from decimal import Decimal
from typing import Any

from analytics_worker.database.reader_sessions import retry_on_session_end
from analytics_worker.definitions.yaml_definitions import did_you_mean
from analytics_worker.text import one_line
from flows.reports.definitions.model import ForEach
from flows.reports.formats import FetchedRows, FormatError, TableQuery, fetch_rows, open_snapshot
from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind
from flows.reports.output.generator import ReportRunResult, result_fields, skip_run
from flows.reports.runs.keys import run_key
from flows.reports.runs.model import ReportRun
from flows.reports.runs.requests import run_request
from flows.reports.runs.store import RunStore
from flows.reports.scheduling.period_parameters import sql_parameters

MAX_ROWS = 1000
MAX_DIGITS = 300
Row = dict[str, Any]


def fan_out(store: RunStore, run: ReportRun, for_each: ForEach) -> ReportRunResult:
    """Request a run for each row, and skip the run that they replace.

    Raises:
        FormatError: a column is missing, or there are too many rows.
    """
    fetched = retry_on_session_end(lambda: _fetch(run, for_each))
    fields = {
        "period": run.period,
        "period_start": run.start,
        "period_end": run.end,
        "reason": run.reason,
        "due_at": run.due_at,
        "held_since": run.held_since,
        "unmet": run.unmet,
    }
    requested = store.request_runs(
        [
            run_request(
                run.report,
                run.name,
                run.kind,
                None,
                key=key,
                row_values=_single_row(rows, for_each),
                **fields,
            )
            for key, rows in _rows_by_key(fetched, for_each).items()
        ]
    )
    result = skip_run(store, run, f"generated for each of {len(fetched.rows)} rows")
    return ReportRunResult(
        **result_fields(run, "skipped"),
        reason=result.get("reason"),
        children=[child.id for child in requested],
    )


def row_of_run(run: ReportRun, for_each: ForEach) -> Row:
    """Return the row of a run whose key was not that of one row, in case the data is right now.

    Raises:
        FormatError: it still is not.
    """
    fetched = retry_on_session_end(lambda: _fetch(run, for_each))
    rows = _rows_by_key(fetched, for_each).get(run.key, [])
    if row := _single_row(rows, for_each):
        return row
    key = one_line(_text(rows[0][for_each.key]), 80) if rows else run.key
    problem = f"is in {len(rows)} rows" if key else "is empty"
    raise FormatError(f"for_each: the key {key!r} {problem}; give each row a key of its own")


def _single_row(rows: list[Row], for_each: ForEach) -> Row:
    """Return the row of a key; an empty one if there are none or several, or the key is empty."""
    return rows[0] if len(rows) == 1 and _text(rows[0][for_each.key]) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _fetch(run: ReportRun, for_each: ForEach) -> FetchedRows:
    report = run.report
    session = open_snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as snapshot:
        query = TableQuery("for_each", for_each.sql, sql_parameters(run))
        return fetch_rows(snapshot, query, MAX_ROWS)


def _rows_by_key(fetched: FetchedRows, for_each: ForEach) -> dict[str, list[Row]]:
    for column in filter(None, (for_each.key, for_each.to)):
        if column not in fetched.names:
            suggestion = did_you_mean(column, fetched.names)
            raise FormatError(f"for_each has no column {column!r}{suggestion}")
    if fetched.truncated:
        raise FormatError(f"for_each has more than {MAX_ROWS} rows; make it select fewer")
    rows: dict[str, list[Row]] = {}
    for values in fetched.rows:
        pairs = zip(fetched.columns, values, strict=True)
        row = {column.name: _json_value(column, value) for column, value in pairs}
        rows.setdefault(run_key(_text(row[for_each.key])), []).append(row)
    return rows


def _json_value(column: Column, value: str | None) -> Any:
    """Return a value as JSON holds it: numbers and booleans, else text that PostgreSQL reads back."""
    if value is None:
        return None
    if column.kind is ColumnKind.BOOLEAN:
        return value == "t"
    if column.kind not in NUMBERS or len(value) > MAX_DIGITS:
        return value
    number = Decimal(value)
    return int(number) if number.is_finite() and number == number.to_integral_value() else value
