"""Fan out a report over the rows of its ``for_each`` query: one run for each row.

Reads what the query reads; writes runs. Safe to repeat: there is one run per key.
"""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from analytics_worker.database.reader_sessions import retry_on_session_end
from analytics_worker.definitions.yaml_definitions import did_you_mean
from flows.reports.definitions.model import ForEach
from flows.reports.formats import FetchedRows, FormatError, TableQuery, fetch_rows, open_snapshot
from flows.reports.output.generator import ReportRunResult, result_fields, skip_run
from flows.reports.runs.model import ReportRun, sql_parameters
from flows.reports.runs.requests import run_request
from flows.reports.runs.store import RunStore

MAX_ROWS = 1000
MAX_KEY_LENGTH = 200


def fan_out(store: RunStore, run: ReportRun, for_each: ForEach) -> ReportRunResult:
    """Request a run for each row, and skip the run that they replace.

    Raises:
        FormatError: a column is missing, there are too many rows, or two have the same key.
    """
    rows = _rows_by_key(retry_on_session_end(lambda: _fetch(run, for_each)), for_each)
    fields = {"period": run.period, "period_start": run.start, "period_end": run.end}
    requested = store.request_runs(
        [
            run_request(run.report, run.name, run.kind, None, key=key, row_values=row, **fields)
            for key, row in rows.items()
        ]
    )
    result = skip_run(store, run, f"generated for each of {len(rows)} rows")
    return ReportRunResult(
        **result_fields(run, "skipped"),
        reason=result.get("reason"),
        children=[child.id for child in requested],
    )


def _fetch(run: ReportRun, for_each: ForEach) -> FetchedRows:
    report = run.report
    session = open_snapshot(reader=report.reader, timeout=report.timeout, timezone=report.timezone)
    with session as snapshot:
        query = TableQuery("for_each", for_each.sql, sql_parameters(run))
        return fetch_rows(snapshot, query, MAX_ROWS)


def _rows_by_key(fetched: FetchedRows, for_each: ForEach) -> dict[str, dict[str, Any]]:
    for column in filter(None, (for_each.key, for_each.to)):
        if column not in fetched.names:
            suggestion = did_you_mean(column, fetched.names)
            raise FormatError(f"for_each has no column {column!r}{suggestion}")
    if fetched.truncated:
        raise FormatError(f"for_each has more than {MAX_ROWS} rows; make it select fewer")
    rows: dict[str, dict[str, Any]] = {}
    for values in fetched.rows:
        row = {name: _json_value(v) for name, v in zip(fetched.names, values, strict=True)}
        key = "".join(c for c in str(row[for_each.key]) if c.isprintable())[:MAX_KEY_LENGTH]
        if not key or key in rows:
            problem = "not unique" if key else "empty"
            raise FormatError(f"for_each: the key {key!r} is {problem}")
        rows[key] = row
    return rows


def _json_value(value: Any) -> Any:
    """Return a value as JSON can hold it; decimals and dates as text that PostgreSQL reads back."""
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else str(value)
    return value.isoformat() if isinstance(value, date | datetime) else value
