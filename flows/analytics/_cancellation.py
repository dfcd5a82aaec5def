"""Cancel the running statements of a run when the run ends.

A thread can't be stopped from outside, but the statement that it waits for can be cancelled through
its connection. Holds connections of this process only; writes nothing.
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

from psycopg2.extensions import connection as DriverConnection  # noqa: N812  # it is a class
from sqlalchemy import Connection

from analytics_worker.errors import PermanentError
from flows.analytics._psycopg import driver_connection

CANCEL_EVERY_SECONDS = 0.2


class RunCancelledError(PermanentError):
    """The run was cancelled or timed out; its tasks are not retried."""


class RunningStatements:
    """Connections of one run that execute long statements."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._connections: set[DriverConnection] = set()

    @contextmanager
    def cancellable(self, connection: Connection) -> Generator[None]:
        """Let `cancel` cancel the statements of the connection within this block.

        Raises:
            RunCancelledError: the run was cancelled before or during the block.
        """
        registered = driver_connection(connection)
        self._connections.add(registered)
        try:
            self.check()
            yield
        except Exception as error:
            if self.cancelled.is_set():
                raise RunCancelledError("The run was cancelled") from error
            raise
        finally:
            self._connections.discard(registered)

    def check(self) -> None:
        """Raise `RunCancelledError` if the run was cancelled."""
        if self.cancelled.is_set():
            raise RunCancelledError("The run was cancelled")

    def cancel(self, within_seconds: float = 10) -> None:
        """Cancel all statements, refuse new ones, and wait until they have ended."""
        self.cancelled.set()
        for _ in range(int(within_seconds / CANCEL_EVERY_SECONDS)):
            for connection in list(self._connections):
                connection.cancel()  # repeatedly: a statement may be about to start
            if not self._connections:
                return
            threading.Event().wait(CANCEL_EVERY_SECONDS)


current: ContextVar[RunningStatements] = ContextVar("running_statements")
