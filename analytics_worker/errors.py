"""Which errors are worth another try, and which say that a service is down.

Reads nothing, writes nothing. Retries, circuit breakers and result states all ask here.
"""

import re
from collections.abc import Iterator

from psycopg2 import Error as DriverError
from psycopg2 import InterfaceError, OperationalError

# Feature not supported, data exception, integrity violation, invalid authorization,
# invalid catalog name, syntax error or access rule violation (PostgreSQL, appendix A).
PERMANENT_SQLSTATE_CLASSES = frozenset({"0A", "22", "23", "28", "3D", "42"})

# What only a server that is down or overloaded says: insufficient resources, crash shutdown, cannot
# connect now. Not 57014 and 57P01: anybody with the role can cancel a query or end a session.
SERVICE_SQLSTATE_CLASSES = frozenset({"53"})
SERVICE_SQLSTATES = frozenset({"57P02", "57P03"})

# libpq reports no SQLSTATE for a refused connection, only the server's text.
_REFUSED_CONNECTION = re.compile(
    r"password authentication failed|no password supplied|no pg_hba\.conf entry"
    r'|(database|role) "[^"]*" does not exist|permission denied for database'
    r"|invalid connection option|invalid port number"
)


class PermanentError(Exception):
    """Trying again cannot help: bad input, missing grant, failed contract."""


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error, then what caused it, as far as it goes."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = getattr(current, "orig", None) or current.__cause__


def sqlstate(error: BaseException) -> str | None:
    """PostgreSQL's five-character error code, if the database gave one."""
    for link in chain(error):
        code = getattr(link, "pgcode", None)
        if isinstance(code, str):
            return code
    return None


def is_permanent(error: BaseException) -> bool:
    """Whether trying the same thing again is bound to fail the same way."""
    if any(isinstance(link, PermanentError) for link in chain(error)):
        return True
    code = sqlstate(error)
    if code is not None:
        return code[:2] in PERMANENT_SQLSTATE_CLASSES
    return _REFUSED_CONNECTION.search(str(error)) is not None


def is_database_outage(error: BaseException) -> bool:
    """Whether an error says that the database server is away or overloaded.

    A lock timeout, a deadlock, a cancelled query or a session that somebody ended is worth a retry,
    but the server is well: it must not count against its circuit breaker. If it is down, the next
    attempt to connect says so. Neither does an error count that the driver raised of itself.
    """
    # SQLAlchemy, which the exporter does without, keeps the driver's error in `orig`.
    if not isinstance(getattr(error, "orig", error), DriverError):
        return False
    code = sqlstate(error)
    if code is None:
        return _is_connection_error(error) and not is_permanent(error)
    if code[:2] == "08":  # of a foreign server, if this connection is still there
        return getattr(error, "connection_invalidated", True)
    return code[:2] in SERVICE_SQLSTATE_CLASSES or code in SERVICE_SQLSTATES


def _is_connection_error(error: BaseException) -> bool:
    return any(isinstance(link, OperationalError | InterfaceError) for link in chain(error))
