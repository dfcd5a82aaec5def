"""Let a run write only while the Prefect server has confirmed lately that the run is still this process's.

The server declares a run crashed after 90 s without heartbeats. A process that was stopped, suspended or
cut off meanwhile must not write any more. Its lease ends earlier, and a write after that waits until the
server has confirmed the run, or ends the run. Reads clocks; writes nothing. A process holds one lease.
"""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from prefect.exceptions import Abort

from analytics_worker.shared_lease import Instant, SharedLease

RETRY_SECONDS = 1.0
COMMIT_SECONDS = 10
"""How long a confirmed transaction may wait for its COMMIT before the database ends it."""


class RunLostError(Abort):
    """The run is no longer this process's. Prefect ends the process without reporting a state."""


class RunLease:
    """The lease of one run; usable from several threads."""

    def __init__(self, seconds: float, confirm: Callable[[], bool], since: Instant) -> None:
        """Start a lease.

        Args:
            seconds: How long it lasts without being renewed.
            confirm: Asks the server: False if it can't be reached; raises `RunLostError` if the run is lost.
            since: When the run was known to be this process's.
        """
        self.seconds = seconds
        self._confirm = confirm
        self._since = since
        self._lost: RunLostError | None = None
        self._lock = threading.Lock()
        self._shared: list[Path] = []

    def share(self, path: Path) -> None:
        """Let child processes know the lease, from a file that each renewal replaces."""
        with self._lock:
            self._shared.append(path)
            SharedLease(self._since, self.seconds).write(path)

    def check(self) -> None:
        """Return while the lease lasts; else wait until the server has confirmed it.

        Raises:
            RunLostError: the run is lost.
        """
        while not self._is_valid():
            if not self.renew():
                threading.Event().wait(RETRY_SECONDS)

    def renew(self) -> bool:
        """Ask the server now; return whether it confirmed the run.

        Raises:
            RunLostError: the run is lost.
        """
        with self._lock:
            self._is_valid()
            before = Instant.now()
            try:
                confirmed = self._confirm()
            except RunLostError as error:
                self._lost = error
                raise
            if confirmed:
                self._since = before
                for path in self._shared:
                    SharedLease(before, self.seconds).write(path)
            return confirmed

    def _is_valid(self) -> bool:
        if self._lost is not None:
            raise RunLostError(str(self._lost))
        return self._since.age() < self.seconds


_held: list[RunLease] = []
"""The lease of this process's run. No context variable: threads of the run have it, too."""


@contextmanager
def hold(lease: RunLease) -> Generator[None]:
    """Let all writes of this process depend on the lease.

    After an interruption they still do: other threads of the run may not have ended yet.
    """
    _held.append(lease)
    yield
    _held.remove(lease)


def is_held() -> bool:
    """Whether this process executes a run that the server may declare crashed."""
    return bool(_held)


def share(path: Path) -> bool:
    """Write the lease of this process's run to a file for a child process; False if it has none."""
    for lease in _held:
        lease.share(path)
    return bool(_held)


def check() -> None:
    """Check the lease of this process's run, before a write; no effect outside of one.

    Raises:
        RunLostError: the run is lost; nothing may be written.
    """
    for lease in _held:
        lease.check()
