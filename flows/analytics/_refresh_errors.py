"""What went wrong with a view, in words that say what to do.

Reads the locks on the view to name who is in the way; writes nothing.
"""

from psycopg2 import errorcodes
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from analytics_worker.database.connections import run_sql
from analytics_worker.errors import PermanentError, sqlstate
from analytics_worker.settings import settings
from flows.analytics._psycopg import first_line
from flows.analytics._refresh_log_store import Refresh
from flows.analytics._views import View

NOT_UNIQUE = (
    "The query of {view} returns rows that its unique index does not allow ({said})."
    " Make the query unique in the columns of the index, or drop the index: without it the view is"
    " refreshed plainly"
)
PERMANENT = {
    errorcodes.CARDINALITY_VIOLATION: NOT_UNIQUE,
    errorcodes.UNIQUE_VIOLATION: NOT_UNIQUE,
    errorcodes.INSUFFICIENT_PRIVILEGE: (
        "Not allowed to refresh {view} ({said}). Its owner has to GRANT MAINTAIN on it"
        " (PostgreSQL 17 and newer), or to make the worker's role a member of the owner"
    ),
    errorcodes.UNDEFINED_TABLE: "{view} or something that it reads was dropped ({said})",
}
"""What to say, by SQLSTATE, about errors that will not go away by themselves."""


class RefreshError(Exception):
    """A view could not be refreshed; it still has its old contents.

    Attributes:
        attempt: How far it got.
    """

    attempt: Refresh | None = None


class PermanentRefreshError(RefreshError, PermanentError):
    """The same, and it will go wrong every time until somebody does what the message says."""


def explained(connection: Connection, view: View, error: BaseException) -> BaseException:
    """The error to report in place of the driver's."""
    if not isinstance(error, DBAPIError):
        return error
    code, said = sqlstate(error), first_line(error)
    if code == errorcodes.LOCK_NOT_AVAILABLE:
        return RefreshError(
            f"{view.label} stayed locked for {settings().lock_timeout_seconds} s"
            f"{_holders(connection, view)}"
        )
    if code in PERMANENT:
        return PermanentRefreshError(PERMANENT[code].format(view=view.label, said=said))
    limit = settings().refresh_statement_timeout_seconds
    hint = f" (REFRESH_STATEMENT_TIMEOUT_SECONDS is {limit})"
    return RefreshError(f"{view.label}: {said}{hint if code == errorcodes.QUERY_CANCELED else ''}")


def _holders(connection: Connection, view: View) -> str:
    rows = run_sql(connection, "analytics/lock_holders", oid=view.oid)
    sessions = [f"pid {r['pid']} ({r['application']}, {r['state']})" for r in rows]
    return f" by {', '.join(sessions)}" if sessions else " (what it reads may be locked)"
