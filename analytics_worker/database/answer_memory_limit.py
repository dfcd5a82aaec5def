"""Bound the memory that the answer to a statement can take in this process.

A message of the server can have hundreds of megabytes: `select repeat('x', 900000000)::int`. libpq and
psycopg2 hold it several times, and the run would be ended for its memory, with the work of all its
units. Within this bound they fail to allocate, and the statement has an error like any other. Sets
RLIMIT_DATA of this process while a statement runs; reads /proc; does nothing where there is no /proc.
"""

import os
import resource
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from analytics_worker.settings import settings

STATM = "/proc/self/statm"
_HAS_PROC = Path(STATM).exists()
DATA_FIELD = 5
"""Private memory that can be written, in pages (proc_pid_statm(5))."""
PAGE = os.sysconf("SC_PAGE_SIZE")
MAX_AGE_SECONDS = 0.05
"""How long a bound is kept in a series of statements: the process uses more memory meanwhile."""
STREAM_MB = 1000
"""Limit for a stream of rows, of which one can have 1 GB."""


class _Bound:
    """The bound of this process: that of the first statement, until the last one has ended."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statements = 0
        self._series = 0
        self._current: tuple[int, float] | None = None
        """The bound in megabytes, and when it was measured; None if there is none."""
        self._before = (0, 0)

    def begin(self, megabytes: int) -> None:
        with self._lock:
            self._statements += 1
            if self._statements == 1 and not self._is_current(megabytes):
                self._lift()
                self._before = resource.getrlimit(resource.RLIMIT_DATA)
                _set(_used() + megabytes * 1_000_000, self._before)
                self._current = megabytes, time.monotonic()

    def _is_current(self, megabytes: int) -> bool:
        if self._current is None:
            return False
        bound, measured_at = self._current
        return bound == megabytes and time.monotonic() - measured_at < MAX_AGE_SECONDS

    def end(self, *, keep: bool) -> None:
        with self._lock:
            self._statements -= 1
            if not self._statements and not (keep and self._series):
                self._lift()

    def begin_series(self) -> None:
        with self._lock:
            self._series += 1

    def end_series(self) -> None:
        with self._lock:
            self._series -= 1
            if not self._statements and not self._series:
                self._lift()

    def _lift(self) -> None:
        if self._current is not None:
            self._current = None
            resource.setrlimit(resource.RLIMIT_DATA, self._before)


_bound = _Bound()


@contextmanager
def bounded_answer(megabytes: int) -> Generator[None]:
    """Let this process take at most so much more memory while a statement runs."""
    if not _HAS_PROC:
        yield
        return
    _bound.begin(megabytes)
    succeeded = False
    try:
        yield
        succeeded = True
    finally:
        _bound.end(keep=succeeded)


@contextmanager
def bounded_series() -> Generator[None]:
    """Keep the bound between the statements of a series, because to set it costs more than most of them.

    It is measured again when it is older than MAX_AGE_SECONDS and no statement runs. A statement that fails
    ends it, because the error can hold a long message.
    """
    _bound.begin_series()
    try:
        yield
    finally:
        _bound.end_series()


def small_answer_mb() -> int:
    """Return what rows within USER_SQL_MAX_MB need at most, as Python's objects."""
    return 128 + 8 * settings().user_sql_max_mb


def _used() -> int:
    """Return the private memory of the process, in bytes; three calls of the system, for every statement."""
    statm = os.open(STATM, os.O_RDONLY)
    try:
        return int(os.read(statm, 200).split()[DATA_FIELD]) * PAGE
    finally:
        os.close(statm)


def _set(wanted: int, before: tuple[int, int]) -> None:
    soft, hard = before
    bounds = [each for each in (wanted, soft, hard) if each != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(bounds), hard))
