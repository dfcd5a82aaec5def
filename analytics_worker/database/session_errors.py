"""Define the errors of user SQL, and distinguish the end of one session from an outage of the database.

Opens a connection to find out whether the database is available; reads and writes nothing.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg2
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import direct_connection
from analytics_worker.database.query_canceller import abandonment_error
from analytics_worker.errors import PermanentError

T = TypeVar("T")


class UserSqlError(PermanentError):
    """The statement failed because of its text; its author has to change it."""

    sqlstate: str | None = None
    """The code with which the server refused it. A function can raise any."""


class SessionEndedError(UserSqlError):
    """The session was ended although the server is available: one retry is worthwhile."""


class ReplicationConflictError(SessionEndedError):
    """A read replica cancelled the statement for its replication: one retry is worthwhile."""


def retry_on_session_end(operation: Callable[[], T]) -> T:
    """Run an operation, and retry it once if its session was ended, or its statement by replication."""
    try:
        return operation()
    except SessionEndedError:
        return operation()


def connection_loss_error(error: psycopg2.Error, connection: Any, url: URL) -> Exception:
    """Return the error for a lost connection: an outage only if no new connection can be opened."""
    if reason := abandonment_error(connection):
        return UserSqlError(reason)
    try:
        with direct_connection(url):
            reason = " ".join(str(error).split())[:200]
            return SessionEndedError(f"the session was ended while the SQL ran: {reason}")
    except SQLAlchemyError as outage:
        return outage
