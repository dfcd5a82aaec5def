"""Calls that worked and changed nothing: counted in the process, handed to the store in bulk.

Writes the total to the breaker's store, at most once a second and when the breaker goes away. A
write per successful call would make processes wait for each other; at most the last second of a
killed process is missing.
"""

import os
import threading
import time
import weakref
from contextlib import suppress

from analytics_worker.breakers.state_machine import BreakerStore, StoreUnreachableError

HAND_OVER_SECONDS = 1.0


class SuccessTally:
    """Successes of one breaker in this process that its store has not heard of."""

    def __init__(self, name: str) -> None:
        """Start at zero; the first success is due at once, for processes that make one call."""
        self.name = name
        self._lock = threading.Lock()
        self._count = 0
        self._due_at = 0.0
        self._process = os.getpid()
        self._handed_over_at_exit = False

    def count(self, breaker: object, store: BreakerStore) -> None:
        """Count one success; what is left is handed over when the breaker goes away."""
        if not self._handed_over_at_exit:
            self._handed_over_at_exit = True
            weakref.finalize(breaker, self.hand_over, store)
        with self._lock:
            if self._process != os.getpid():
                self._process, self._count = os.getpid(), 0  # the parent hands over its own
            self._count += 1
            due = time.monotonic() >= self._due_at
        if due:
            self.hand_over(store)

    def hand_over(self, store: BreakerStore) -> None:
        """Tell the store; what it cannot take is lost."""
        with self._lock:
            count = self._count if self._process == os.getpid() else 0
            self._count = 0
            self._due_at = time.monotonic() + HAND_OVER_SECONDS
        if count:
            with suppress(StoreUnreachableError):
                store.count_successes(self.name, count)
