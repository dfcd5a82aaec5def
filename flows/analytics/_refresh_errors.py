"""Translate errors of a refresh into messages that contain the fix.

Reads the locks on the view to name the sessions that hold them; writes nothing.
"""

from psycopg2 import errorcodes
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker.database.connections import run_sql
from analytics_worker.errors import PermanentError, sqlstate
from analytics_worker.settings import settings
from flows.analytics._psycopg import first_line
from flows.analytics._refresh_log_store import RefreshAttempt
from flows.analytics._views import View

NOT_UNIQUE = (
    "The query of {view} returns rows that its unique index does not allow ({reason})."
    " Make the query unique in the columns of the index, or drop the index: without it the view is"
    " refreshed plainly"
)
BY_USER = "due to user request"
PERMANENT_ERRORS = {
    errorcodes.CARDINALITY_VIOLATION: NOT_UNIQUE,
    errorcodes.UNIQUE_VIOLATION: NOT_UNIQUE,
    errorcodes.INSUFFICIENT_PRIVILEGE: (
        "Not allowed to refresh {view} ({reason}). Its owner has to GRANT MAINTAIN on it"
        " (PostgreSQL 17 and newer), or to make the worker's role a member of the owner"
    ),
    errorcodes.UNDEFINED_TABLE: "{view} or something that it reads was dropped ({reason})",
}
"""Messages by SQLSTATE, of errors that a retry does not resolve."""


class RefreshError(Exception):
    """A view could not be refreshed; it still has its old contents.

    Attributes:
        attempt: The attempt that failed.
    """

    attempt: RefreshAttempt | None = None


class PermanentRefreshError(RefreshError, PermanentError):
    """A refresh that fails until the fix in the message is applied; not worth a retry."""


def refresh_error(connection: Connection, view: View, error: BaseException) -> BaseException:
    """Return the error to report in place of the driver's."""
    if not isinstance(error, DBAPIError):
        return error
    code, reason = sqlstate(error), first_line(error)
    if code == errorcodes.LOCK_NOT_AVAILABLE:
        return RefreshError(
            f"{view.label} stayed locked for {settings().lock_timeout_seconds} s"
            f"{_lock_holders(connection, view)}"
        )
    if code in PERMANENT_ERRORS:
        return PermanentRefreshError(PERMANENT_ERRORS[code].format(view=view.label, reason=reason))
    return RefreshError(f"{view.label}: {reason}{_hint(code, reason)}")


def _hint(code: str | None, reason: str) -> str:
    """Return what stopped a statement that was cancelled: our limit, unless someone else did."""
    if code != errorcodes.QUERY_CANCELED:
        return ""
    if BY_USER in reason:
        return " (someone cancelled it: pg_cancel_backend)"
    return f" (REFRESH_STATEMENT_TIMEOUT_SECONDS is {settings().refresh_statement_timeout_seconds})"


def _lock_holders(connection: Connection, view: View) -> str:
    rows = run_sql(connection, "analytics/lock_holders", oid=view.oid)
    sessions = [f"pid {r['pid']} ({r['application']}, {r['state']})" for r in rows]
    return f" by {', '.join(sessions)}" if sessions else " (one of its inputs may be locked)"
