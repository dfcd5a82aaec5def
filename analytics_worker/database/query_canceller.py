"""Cancel queries that the server does not stop after their ``statement_timeout``.

Starts one thread per process, on first use; a forked child starts its own. Writes nothing.
"""

import os
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import psycopg2

GRACE_PERIOD = timedelta(seconds=2)
POLL_INTERVAL_SECONDS = 0.5


class _QueryCanceller:
    """The running queries of this process, each with its deadline."""

    def __init__(self) -> None:
        self._due: dict[int, tuple[float, Any]] = {}
        self._wakeup = threading.Event()
        threading.Thread(target=self._run, name="query-canceller", daemon=True).start()

    def begin(self, connection: Any, seconds: float) -> None:
        self._due[id(connection)] = (time.monotonic() + seconds, connection)
        if not self._wakeup.is_set():
            self._wakeup.set()

    def end(self, connection: Any) -> None:
        self._due.pop(id(connection), None)

    def _run(self) -> None:
        while True:
            self._wakeup.wait()
            self._wakeup.clear()
            while self._due:
                self._cancel_overdue()
                threading.Event().wait(POLL_INTERVAL_SECONDS)

    def _cancel_overdue(self) -> None:
        for due, connection in list(self._due.values()):
            if time.monotonic() > due:
                with suppress(psycopg2.Error):
                    connection.cancel()


_canceller_by_process: dict[int, _QueryCanceller] = {}
_lock = threading.Lock()


@contextmanager
def cancel_on_timeout(connection: Any, timeout: timedelta) -> Generator[None]:
    """Cancel the query of this psycopg2 connection if it exceeds its timeout and a grace period."""
    canceller = _canceller_by_process.get(os.getpid())
    if canceller is None:
        with _lock:
            canceller = _canceller_by_process.setdefault(os.getpid(), _QueryCanceller())
    canceller.begin(connection, (timeout + GRACE_PERIOD).total_seconds())
    try:
        yield
    finally:
        canceller.end(connection)
