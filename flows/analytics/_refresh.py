"""Refresh one materialized view without blocking its readers.

Locks one view, rewrites it, and records both in ``ops.refresh_log``. Safe to repeat: a refresh
replaces the contents, in one transaction.
"""

import time

from psycopg2 import errorcodes, sql
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError, is_database_outage, sqlstate
from analytics_worker.settings import settings
from flows.analytics import _cancellation, _refresh_log_store
from flows.analytics._change_detection import comparable_fingerprint, fingerprints
from flows.analytics._parallel_workers import query_workers
from flows.analytics._psycopg import execute
from flows.analytics._publication import check_content
from flows.analytics._refresh_errors import RefreshError, refresh_error
from flows.analytics._refresh_log_store import Mode, RefreshAttempt, ViewResult
from flows.analytics._views import View

FIRST_WAIT_SECONDS = 0.1
FORCED_FLUSH_SINCE = (15,)


class ViewDroppedError(PermanentError):
    """The view was dropped."""


def refresh(view: View, reason: str, concurrency: int = 1) -> ViewResult:
    """Refresh a view and return the result.

    Args:
        view: The view.
        reason: Why it is refreshed, for the log.
        concurrency: Number of views that are refreshed at the same time, including this one.

    Raises:
        RefreshError: the refresh failed; the view is unchanged, and the message contains the fix.
    """
    entry = _refresh_log_store.start(
        schema_name=view.schema_name, view_name=view.view_name, oid=view.oid, reason=reason
    )
    try:
        with (
            warehouse(
                statement_timeout_seconds=settings().refresh_statement_timeout_seconds
            ) as connection,
            _cancellation.current.get().cancellable(connection),
        ):
            return _refresh_locked(connection, view, entry, query_workers(connection, concurrency))
    except BaseException as error:
        _settle_failed(entry, view, error)
        raise


def _settle_failed(entry: RefreshAttempt, view: View, error: BaseException) -> None:
    if is_database_outage(error):
        return  # the next run settles it
    with warehouse() as connection:
        failure = refresh_error(connection, view, error)
        entry.finish(connection, "failed", str(failure))
    if isinstance(failure, RefreshError):
        failure.attempt = entry
        raise failure from error


def _refresh_locked(
    connection: Connection, view: View, entry: RefreshAttempt, workers: int | None
) -> ViewResult:
    state = _view_state(connection, view)
    if not run_sql(connection, "analytics/lock_view", id=entry.id)[0]["locked"]:
        entry.reason = "already running: another run is refreshing it"
        entry.finish(connection, "skipped")
        return entry.result(view.label, "skipped")
    run_sql(connection, "analytics/settle_interrupted", oid=state["oid"], id=entry.id)
    before = fingerprints(connection, [state["oid"]])[state["oid"]]
    entry.mode, mode_reason = _mode(state)
    entry.reason = f"{entry.reason}; {mode_reason}" if mode_reason else entry.reason
    _execute_with_lock_retries(connection, view, entry, workers)
    if unmeasured := check_content(connection, view):
        entry.reason = f"{entry.reason}; {unmeasured}"
    own_state = _measure(connection, state, view, entry)
    entry.fingerprint = comparable_fingerprint(before, own_state)
    entry.finish(connection, "success")
    return entry.result(view.label, "success")


def _view_state(connection: Connection, view: View) -> RowMapping:
    rows = run_sql(
        connection,
        "analytics/view_to_refresh",
        schema_name=view.schema_name,
        view_name=view.view_name,
    )
    if not rows:
        raise ViewDroppedError(f"{view.label} was dropped during the run")
    return rows[0]


def _mode(state: RowMapping) -> tuple[Mode, str | None]:
    if not state["is_populated"]:
        return "plain", "plain, because it was never populated"
    if not state["has_unique_index"]:
        return "plain", "plain, because no unique index covers all its rows"
    return "concurrently", None


def _execute_with_lock_retries(
    connection: Connection, view: View, entry: RefreshAttempt, workers: int | None
) -> None:
    """Wait for the lock in growing intervals, so that readers proceed in between.

    A REFRESH that waits for a lock blocks all new readers.
    """
    limit = settings().lock_timeout_seconds
    first_started, lock_wait = time.monotonic(), FIRST_WAIT_SECONDS
    while True:
        started = time.monotonic()
        lock_wait = min(lock_wait, max(limit - entry.wait_seconds, FIRST_WAIT_SECONDS))
        limits = {"lock_timeout": f"{int(lock_wait * 1000)}", "query_workers": workers}
        try:
            with connection.begin_nested():
                run_sql(connection, "analytics/set_refresh_limits", **limits)
                _refresh_statement(connection, view, entry.mode)
        except DBAPIError as error:
            if sqlstate(error) != errorcodes.LOCK_NOT_AVAILABLE:
                raise
            entry.wait_seconds = time.monotonic() - first_started
            if entry.wait_seconds >= limit:
                raise
        else:
            entry.seconds = time.monotonic() - started
            return
        lock_wait *= 2


def _refresh_statement(connection: Connection, view: View, mode: Mode | None) -> None:
    statement = sql.SQL(
        "refresh materialized view concurrently {view}"
        if mode == "concurrently"
        else "refresh materialized view {view}"
    )
    execute(connection, statement.format(view=_identifier(view)))


def _measure(connection: Connection, state: RowMapping, view: View, entry: RefreshAttempt) -> str:
    """Measure size and rows of the refreshed view; return the state that identifies its contents."""
    after = run_sql(connection, "analytics/view_after_refresh", oid=state["oid"])[0]
    entry.bytes = after["bytes"]
    if entry.mode == "plain":
        entry.rows = after["inserted"]
    elif state["is_readable"]:
        count = sql.SQL("select count(*) as rows from {view}")
        row = execute(connection, count.format(view=_identifier(view)))
        entry.rows = row["rows"] if row else None
    if (connection.dialect.server_version_info or ()) >= FORCED_FLUSH_SINCE:
        run_sql(connection, "analytics/force_flush")
    return after["own_state"]


def _identifier(view: View) -> sql.Identifier:
    return sql.Identifier(view.schema_name, view.view_name)
