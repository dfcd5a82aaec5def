"""Classify errors: permanent ones, ones worth a retry, and outages of the database.

Reads nothing, writes nothing. Retries, circuit breakers and result states all use it.
"""

import re
from collections.abc import Iterator

from psycopg2 import Error as DriverError
from psycopg2 import InterfaceError, OperationalError

# Feature not supported, data exception, integrity violation, invalid authorization,
# invalid catalog name, syntax error or access rule violation (PostgreSQL, appendix A).
PERMANENT_SQLSTATE_CLASSES = frozenset({"0A", "22", "23", "28", "3D", "42"})

# Only an unavailable or overloaded server reports these: insufficient resources, crash shutdown, cannot
# connect now. Not 57014 and 57P01: every session of the role can cancel a query or end a session.
SERVICE_SQLSTATE_CLASSES = frozenset({"53"})
SERVICE_SQLSTATES = frozenset({"57P02", "57P03"})
READ_ONLY_TRANSACTION = "25006"
"""Also of user SQL, whose transactions are read only: analytics_worker/database/write_access.py marks those of the database."""

# libpq reports no SQLSTATE for a refused connection, only the server's text.
_REFUSED_CONNECTION = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r'|(database|role) "[^"]*" does not exist|permission denied for database'
    r"|invalid connection option|invalid port number"
)


class OutageError(Exception):
    """A service is unavailable: evidence for its circuit breaker, and worth a retry."""


class PermanentError(Exception):
    """A retry cannot help: bad input, missing grant, failed contract."""


class ConfigurationError(PermanentError):
    """The configuration of this host forbids or lacks something: a message waits until it is corrected."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes, outermost first."""
    visited: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in visited:
        visited.add(id(current))
        yield current
        current = getattr(current, "orig", None) or current.__cause__


def sqlstate(error: BaseException) -> str | None:
    """Return PostgreSQL's five-character error code, if the error has one."""
    for link in chain(error):
        code = getattr(link, "pgcode", None)
        if isinstance(code, str):
            return code
    return None


def is_permanent(error: BaseException) -> bool:
    """Whether a retry is certain to fail the same way."""
    if any(isinstance(link, PermanentError) for link in chain(error)):
        return True
    code = sqlstate(error)
    if code is not None:
        return code[:2] in PERMANENT_SQLSTATE_CLASSES
    return _REFUSED_CONNECTION.search(str(error)) is not None


def may_succeed_later(error: BaseException) -> bool:
    """Whether the same input may succeed at another time: the error is one of the surroundings, not of the input."""
    return not any(
        isinstance(link, PermanentError) and not isinstance(link, ConfigurationError)
        for link in chain(error)
    )


def is_database_outage(error: BaseException) -> bool:
    """Whether an error shows that the database server is unavailable or overloaded.

    A lock timeout, a deadlock, a cancelled query or an ended session is worth a retry, but the server
    is available, so it must not count for its circuit breaker. If the server is down, the next attempt
    to connect shows it. Errors that the driver itself raises do not count either.
    """
    # SQLAlchemy, which the exporter does not use, keeps the driver's error in `orig`.
    if not isinstance(getattr(error, "orig", error), DriverError):
        return False
    code = sqlstate(error)
    if code is None:
        return _is_connection_error(error) and not is_permanent(error)
    if code[:2] == "08":  # of a foreign server, if this connection is still open
        return getattr(error, "connection_invalidated", True)
    if code == READ_ONLY_TRANSACTION:
        return getattr(error, "connection_invalidated", False)
    return code[:2] in SERVICE_SQLSTATE_CLASSES or code in SERVICE_SQLSTATES


def _is_connection_error(error: BaseException) -> bool:
    return any(isinstance(link, OperationalError | InterfaceError) for link in chain(error))
