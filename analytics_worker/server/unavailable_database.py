"""Answer 503, which clients repeat, while the server's PostgreSQL takes no connections.

Prefect does so for errors of a session, and answers 500 if there is none: connections are exhausted, or a PostgreSQL
that restarts or fails over refuses them. Clients do not repeat a 500, and runs would fail. Changes Prefect's server in
this process, once.
"""

from asyncpg.exceptions import InsufficientResourcesError, PostgresConnectionError
from prefect.server.api import server

UNAVAILABLE = (
    InsufficientResourcesError,  # too many connections
    PostgresConnectionError,
    OSError,  # refused, reset, not reachable, timed out
)


def answer_unavailable() -> None:
    """Let clients repeat what failed because there was no connection."""
    is_retryable = server.is_client_retryable_exception

    def is_retryable_or_unavailable(error: Exception) -> bool:
        return isinstance(error, UNAVAILABLE) or is_retryable(error)

    server.is_client_retryable_exception = is_retryable_or_unavailable
