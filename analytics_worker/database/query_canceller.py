"""Cancels queries whose server does not stop them: the last fuse behind ``statement_timeout``.

Opens one thread per process, on first use; a forked child makes its own. Writes nothing.
"""

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg2

GRACE = timedelta(seconds=2)
ROUND_SECONDS = 0.5


class _Watch:
    """The queries of this process that run now, and when each has had its time."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, Any]] = {}
        self._changed = threading.Event()
        threading.Thread(target=self._run, name="query-watchdog", daemon=True).start()

    def begin(self, connection: Any, seconds: float) -> None:
        self._due[id(connection)] = (time.monotonic() + seconds, connection)
        if not self._changed.is_set():
            self._changed.set()

    def end(self, connection: Any) -> None:
        self._due.pop(id(connection), None)

    def _run(self) -> None:
        while True:
            self._changed.wait()
            self._changed.clear()
            while self._due:
                self._cancel_overdue()
                threading.Event().wait(ROUND_SECONDS)

    def _cancel_overdue(self) -> None:
        for due, connection in list(self._due.values()):
            if time.monotonic() > due:
                with suppress(psycopg2.Error):
                    connection.cancel()


_watches: dict[int, _Watch] = {}
_lock = threading.Lock()


@contextmanager
def watching(connection: Any, timeout: timedelta) -> Generator[None]:
    """Cancel what runs on this psycopg2 connection if it takes longer than its time and a grace."""
    watch = _watches.get(os.getpid())
    if watch is None:
        with _lock:
            watch = _watches.setdefault(os.getpid(), _Watch())
    watch.begin(connection, (timeout + GRACE).total_seconds())
    try:
        yield
    finally:
        watch.end(connection)
