"""Classify the failures of dbt: of the project, of something worth a retry, or of the whole warehouse.

Reads nothing, writes nothing.
"""

import re

from analytics_worker.errors import OutageError, PermanentError, is_permanent

# dbt reports the text of libpq and the server without an SQLSTATE.
_OUTAGE = (
    r"could not connect to server|connection to server .* failed|could not translate host name"
    r"|connection refused|connection timed out|no route to host"
    r"|the database system is (starting up|shutting down|in recovery)"
    r"|too many (clients|connections)|remaining connection slots"
    r"|cannot execute [A-Z ]{1,60} in a read-only transaction"
)
"""Only an unavailable or overloaded server causes these."""
_OUTAGE_FAILURE = re.compile(_OUTAGE, re.IGNORECASE | re.DOTALL)
_SERVICE_FAILURE = re.compile(
    rf"{_OUTAGE}|server closed the connection|connection (already|is) closed"
    r"|connection reset|timeout expired|broken pipe|SSL (SYSCALL|connection)"
    r"|terminating connection"
    r"|canceling statement due to lock timeout|deadlock detected"
    r"|could not (receive|send) data (from|to) server|no space left on device",
    re.IGNORECASE | re.DOTALL,
)
STATEMENT_TIMEOUT = "canceling statement due to statement timeout"
"""Of the role, the database, the server or profiles.yml: the worker's own one ends with the run. Another attempt would meet it, too."""


class DbtUnavailableError(Exception):
    """dbt failed for reasons outside the project; worth a retry."""


class DbtOutageError(DbtUnavailableError, OutageError):
    """The warehouse is unavailable, so dbt of any project would fail."""


class DbtProjectError(PermanentError):
    """The project failed, not dbt: compile errors, SQL errors, failed tests."""


def is_service_failure(message: str) -> bool:
    """Whether the message is about a connection, a crash or a lock, not the project."""
    return _SERVICE_FAILURE.search(message) is not None and not is_permanent(Exception(message))


def unavailable_error(message: str, text: str | None = None) -> DbtUnavailableError:
    """Return the error for a failure outside the project, with a text of its own if one is given."""
    kind = DbtOutageError if is_outage(message) else DbtUnavailableError
    return kind(text or message)


def is_outage(message: str) -> bool:
    """Whether the message says that the warehouse is unavailable for every project."""
    return is_service_failure(message) and _OUTAGE_FAILURE.search(message) is not None
