"""Cancel queries that ``statement_timeout`` does not stop; leave those that ignore that, too.

A query that is left costs its connection: the server goes on computing, and this side goes on with
other work. Opens one thread per process, on first use; a forked child makes its own. Writes nothing.
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

GRACE = timedelta(seconds=2)
PATIENCE = timedelta(seconds=5)
"""Time that a query has to obey its cancellation."""
ROUND_SECONDS = 0.5


@dataclass
class WatchedQuery:
    """A query that runs, and what became necessary to end it."""

    connection: Any
    timeout: timedelta
    started: float = field(default_factory=time.monotonic)
    has_ended: bool = False
    """Whether it ended, or its connection was cut because it ignored its cancellation."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def is_late(self, grace: timedelta = GRACE) -> bool:
        """Return whether its time and a grace are over."""
        return time.monotonic() > self.started + (self.timeout + grace).total_seconds()

    def stop(self) -> None:
        """Cancel it, or leave it."""
        if not self.is_late(GRACE + PATIENCE):
            with suppress(psycopg2.Error):
                self.connection.cancel()
            return
        with self.lock, suppress(psycopg2.Error, OSError):
            if not self.has_ended:
                self.has_ended = True
                _left[self.connection] = self
                _cut(self.connection)

    def end(self) -> None:
        """Note that it has ended: its connection may serve others now."""
        with self.lock:
            self.has_ended = True


def _cut(connection: Any) -> None:
    """End the connection under libpq, which waits for an answer."""
    with socket.socket(fileno=os.dup(connection.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


class _Watch:
    """The queries of this process that run now."""

    def __init__(self) -> None:
        self._running: dict[int, WatchedQuery] = {}
        self._changed = threading.Event()
        threading.Thread(target=self._run, name="query-canceller", daemon=True).start()

    def begin(self, query: WatchedQuery) -> None:
        self._running[id(query)] = query
        if not self._changed.is_set():
            self._changed.set()

    def end(self, query: WatchedQuery) -> None:
        query.end()
        self._running.pop(id(query), None)

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            while self._running:
                self._end_overdue()
                threading.Event().wait(ROUND_SECONDS)

    def _end_overdue(self) -> None:
        for query in list(self._running.values()):
            if query.is_late():
                query.stop()


_left: WeakKeyDictionary[Any, WatchedQuery] = WeakKeyDictionary()
"""By connection, the query because of which it was cut."""
_watch_by_process: dict[int, _Watch] = {}
_lock = threading.Lock()


@contextmanager
def cancel_on_timeout(connection: Any, timeout: timedelta) -> Generator[None]:
    """Cancel the query of this psycopg2 connection if it exceeds its timeout and a grace period."""
    watch = _watch_by_process.get(os.getpid())
    if watch is None:
        with _lock:
            watch = _watch_by_process.setdefault(os.getpid(), _Watch())
    query = WatchedQuery(connection, timeout)
    watch.begin(query)
    try:
        yield
    finally:
        watch.end(query)


def ignored_cancellation(connection: Any) -> str | None:
    """Return the error of the query on a connection that was cut because of it; None if none was."""
    query = _left.get(connection)
    if query is None:
        return None
    return (
        f"not finished after {query.timeout.total_seconds():g} s (timeout), and it ignores its"
        " cancellation: the database server goes on computing. Avoid the function that does not stop"
    )
