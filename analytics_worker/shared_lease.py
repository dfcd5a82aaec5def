"""Share the lease of a run with its child processes, which wait with their writes after its end, too.

A child that was stopped with its parent continues at once; the parent needs a moment to find out that the run
is lost. Reads clocks and a small file, which is replaced as a whole at each renewal. Imports neither Prefect nor
dbt.
"""

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Self

from analytics_worker.process_identity import ProcessIdentity

BOOT_CLOCK: int = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""A clock that continues while the host is suspended."""
POLL_SECONDS = 0.2


class Instant(NamedTuple):
    """A time on two clocks: a virtual machine that is paused stops the one, an adjustment moves the other."""

    boot: float
    wall: float

    @classmethod
    def now(cls) -> Self:
        """Return the current time."""
        return cls(time.clock_gettime(BOOT_CLOCK), time.time())

    @classmethod
    def of_process_start(cls) -> Self:
        """Return the time at which this process started: it can't have been declared crashed before."""
        now, started = cls.now(), ProcessIdentity.seconds_since_boot()
        return cls(started, now.wall - (now.boot - started))

    def age(self) -> float:
        """Return the seconds that have passed since, by the clock that says more."""
        now = self.now()
        return max(now.boot - self.boot, now.wall - self.wall)


class SharedLease(NamedTuple):
    """A lease as its file holds it."""

    since: Instant
    seconds: float

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a file; None if the run has ended and removed it."""
        try:
            boot, wall, seconds = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return cls(Instant(boot, wall), seconds)

    def write(self, path: Path) -> None:
        """Replace the file, unless the folder of the run was removed."""
        temporary = path.with_suffix(f".{os.getpid()}")
        try:
            temporary.write_text(json.dumps([*self.since, self.seconds]))
            temporary.replace(path)
        except FileNotFoundError:
            return

    def is_valid(self) -> bool:
        """Whether it lasts."""
        return self.since.age() < self.seconds


def fence(path: Path) -> Callable[[], None]:
    """Return a function that returns while the lease of a file lasts; else it waits until it was renewed."""
    known: dict[str, SharedLease | None] = {"lease": None}

    def wait() -> None:
        while (lease := known["lease"]) is None or not lease.is_valid():
            known["lease"] = SharedLease.read(path)
            if known["lease"] is None or not known["lease"].is_valid():
                threading.Event().wait(POLL_SECONDS)

    return wait


def fenced_cursor(base: type[Any], wait: Callable[[], None]) -> type[Any]:
    """Return a class of cursors of psycopg2 that wait before each statement, except to end another session."""

    class FencedCursor(base):
        """A cursor of a process that may not be the run's any more."""

        def execute(self, query: Any, *arguments: Any) -> Any:
            if not str(query).startswith("select pg_terminate_backend("):
                wait()
            return super().execute(query, *arguments)

    return FencedCursor
