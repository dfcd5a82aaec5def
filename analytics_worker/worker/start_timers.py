"""Timers for the times at which runs of a pool are due. Reads and writes nothing."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Protocol
from uuid import UUID

LATER_SECONDS = 0.003
"""A poll that comes a moment too early finds nothing."""


class Wake(Protocol):
    """Let a pool be polled; for work that is known to be there, without a look at it first."""

    def __call__(self, *, for_work: bool = False) -> None:
        """Return at once."""
        ...


class StartTimers:
    """Wake a pool once for each run and time."""

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        """Set the clock by which runs are due."""
        self._now = now
        self._set: set[tuple[UUID | None, datetime]] = set()

    def set(self, run: UUID | None, due: datetime, wake: Wake) -> float:
        """Wake when the run is due, at once if it is already; return the seconds until then."""
        wait = due.timestamp() - self._now()
        key = (run, due)
        if wait <= 0:
            wake()
        elif key not in self._set:
            self._set.add(key)
            loop = asyncio.get_running_loop()
            loop.call_later(wait + LATER_SECONDS, self._ring, key, wake)
        return wait

    def _ring(self, key: tuple[UUID | None, datetime], wake: Wake) -> None:
        self._set.discard(key)
        wake(for_work=True)
