"""Cancel queries that the server does not stop after their ``statement_timeout``; abandon the rest.

A query that ignores its cancellation is abandoned: its connection is cut and the caller continues, while the
server keeps computing. Starts one thread per process, on first use; a forked child starts its own. Writes
nothing.
"""

import os
import socket
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from weakref import WeakKeyDictionary

import psycopg2

GRACE_PERIOD = timedelta(seconds=2)
"""Time after the timeout until a query is cancelled."""
CANCELLATION_PERIOD = timedelta(seconds=5)
"""Time after the first cancellation until a query is abandoned."""
POLL_INTERVAL_SECONDS = 0.5


@dataclass
class RunningQuery:
    """A query with its timeout."""

    connection: Any
    timeout: timedelta
    started: float = field(default_factory=time.monotonic)
    has_ended: bool = False
    """Whether it has ended or was abandoned."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def stop_if_overdue(self) -> None:
        """Cancel the query after its timeout, and abandon it if it ignores the cancellation."""
        elapsed = timedelta(seconds=time.monotonic() - self.started)
        if elapsed > longest_duration(self.timeout):
            self._abandon()
        elif elapsed > self.timeout + GRACE_PERIOD:
            with suppress(psycopg2.Error):
                self.connection.cancel()

    def _abandon(self) -> None:
        with self.lock, suppress(psycopg2.Error, OSError):
            if not self.has_ended:
                self.has_ended = True
                _abandoned[self.connection] = self
                _cut(self.connection)

    def end(self) -> None:
        """Record the end: from now on the connection may run another query."""
        with self.lock:
            self.has_ended = True


def longest_duration(timeout: timedelta) -> timedelta:
    """Return how long a query with this timeout runs at most until it is abandoned."""
    return timeout + GRACE_PERIOD + CANCELLATION_PERIOD


def _cut(connection: Any) -> None:
    """Shut down the socket, so that libpq stops waiting for the server."""
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


class _QueryCanceller:
    """The running queries of this process."""

    def __init__(self) -> None:
        self._running: dict[int, RunningQuery] = {}
        self._wakeup = threading.Event()
        threading.Thread(target=self._run, name="query-canceller", daemon=True).start()

    def begin(self, query: RunningQuery) -> None:
        self._running[id(query)] = query
        if not self._wakeup.is_set():
            self._wakeup.set()

    def end(self, query: RunningQuery) -> None:
        query.end()
        self._running.pop(id(query), None)

    def _run(self) -> None:
        while True:
            self._wakeup.wait()
            self._wakeup.clear()
            while self._running:
                for query in list(self._running.values()):
                    query.stop_if_overdue()
                threading.Event().wait(POLL_INTERVAL_SECONDS)


_abandoned: WeakKeyDictionary[Any, RunningQuery] = WeakKeyDictionary()
"""Abandoned queries by connection."""
_canceller_by_process: dict[int, _QueryCanceller] = {}
_lock = threading.Lock()


@contextmanager
def cancel_on_timeout(connection: Any, timeout: timedelta) -> Generator[None]:
    """Cancel the query of this psycopg2 connection if it exceeds its timeout and a grace period."""
    canceller = _canceller_by_process.get(os.getpid())
    if canceller is None:
        with _lock:
            canceller = _canceller_by_process.setdefault(os.getpid(), _QueryCanceller())
    query = RunningQuery(connection, timeout)
    canceller.begin(query)
    try:
        yield
    finally:
        canceller.end(query)


def abandonment_error(connection: Any) -> str | None:
    """Return the error of the abandoned query of this connection; None if there is none."""
    query = _abandoned.get(connection)
    if query is None:
        return None
    return (
        f"not finished after {query.timeout.total_seconds():g} s (timeout); it ignores its cancellation,"
        " and the database server keeps computing. Remove the function that can't be cancelled"
    )
