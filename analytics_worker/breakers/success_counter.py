"""Count successful calls in the process and write them to the store in bulk.

Writes to the breaker's store at most once a second, and when the breaker is deleted. A write per
successful call would make processes wait for each other. If a process is killed, at most the counts
of its last second are lost.
"""

import os
import threading
import time
import weakref
from contextlib import suppress

from analytics_worker.breakers.state_machine import BreakerStore, StoreUnreachableError

FLUSH_INTERVAL_SECONDS = 1.0


class SuccessCounter:
    """The successes of one breaker in this process that are not in its store yet."""

    def __init__(self, name: str) -> None:
        """Start at zero; the first success is written immediately, for processes that make one call."""
        self.name = name
        self._lock = threading.Lock()
        self._count = 0
        self._due_at = 0.0
        self._process = os.getpid()
        self._flushes_at_exit = False

    def count(self, breaker: object, store: BreakerStore) -> None:
        """Count one success; the remaining ones are written when the breaker is deleted."""
        if not self._flushes_at_exit:
            self._flushes_at_exit = True
            weakref.finalize(breaker, self.flush, store)
        with self._lock:
            if self._process != os.getpid():
                self._process, self._count = os.getpid(), 0  # the parent flushes its own
            self._count += 1
            due = time.monotonic() >= self._due_at
        if due:
            self.flush(store)

    def flush(self, store: BreakerStore) -> None:
        """Write the count to the store; it is lost if the store is unreachable."""
        with self._lock:
            count = self._count if self._process == os.getpid() else 0
            self._count = 0
            self._due_at = time.monotonic() + FLUSH_INTERVAL_SECONDS
        if count:
            with suppress(StoreUnreachableError):
                store.count_successes(self.name, count)
