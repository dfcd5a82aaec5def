"""The statements of one run that have to end when the run does.

Threads can't be stopped from outside, but what they wait for can: their connection is asked to
cancel what it runs. Holds connections of this process only; writes nothing.
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
    """The run was cancelled or has timed out; its tasks do not try again."""


class InFlight:
    """Connections with a statement that may take long."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()
        self._connections: set[DriverConnection] = set()

    @contextmanager
    def watching(self, connection: Connection) -> Generator[None]:
        """Within this block, `cancel` ends what the connection runs.

        Raises:
            RunCancelledError: the run was cancelled, before or meanwhile.
        """
        watched = driver_connection(connection)
        self._connections.add(watched)
        try:
            self.check()
            yield
        except Exception as error:
            if self.cancelled.is_set():
                raise RunCancelledError("The run was cancelled") from error
            raise
        finally:
            self._connections.discard(watched)

    def check(self) -> None:
        """Raise `RunCancelledError` if the run was cancelled."""
        if self.cancelled.is_set():
            raise RunCancelledError("The run was cancelled")

    def cancel(self, within_seconds: float = 10) -> None:
        """End all statements and let none begin; waits until they have ended."""
        self.cancelled.set()
        for _ in range(int(within_seconds / CANCEL_EVERY_SECONDS)):
            for connection in list(self._connections):
                connection.cancel()  # again and again: a statement may be just about to begin
            if not self._connections:
                return
            threading.Event().wait(CANCEL_EVERY_SECONDS)


current: ContextVar[InFlight] = ContextVar("in_flight")
