"""Where COPY writes to: counts rows, reports progress, leaves out rows past a cap.

Holds one row or one buffer at a time. Writes to the function that it is given, nothing else.
"""

import io
from collections.abc import Callable
from typing import Any, Protocol

from typing_extensions import override

from flows.reports.formats.registry import PROGRESS_ROWS, Progress

BUFFER_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 14
Write = Callable[[bytes | memoryview], object]


class Sink(Protocol):
    """Takes what the driver hands over, which is a row a call."""

    truncated: bool

    def write(self, data: bytes, /) -> object:
        """One row."""
        ...

    def finish(self, rows: int) -> int:
        """Pass on what is still held; rows that were passed on, given the rows that were sent."""
        ...


def sink(write: Write, limit: int | None, progress: Progress, done: int) -> Sink:
    """A sink; only a cap needs a look at every row. ``done``: rows written before."""
    return (
        Unlimited(write, progress, done) if limit is None else Limited(write, limit, progress, done)
    )


class Limited:
    """Counts every row, and leaves out those past the limit."""

    def __init__(self, write: Write, limit: int, progress: Progress, done: int) -> None:
        """Nothing is written yet."""
        self.truncated = False
        self._count = 0
        self._write = write
        self._limit = limit
        self._progress = progress
        self._done = done

    def write(self, data: bytes, /) -> None:
        """One row."""
        if self._count == self._limit:
            self.truncated = True
            return
        self._write(data)
        self._count += 1
        if self._count % PROGRESS_ROWS == 0:
            self._progress(self._done + self._count)

    def finish(self, rows: int) -> int:
        """Rows that were passed on."""
        return min(rows, self._limit)


class Unlimited:
    """Hands rows on by the buffer: no Python code runs for a row, which halves the time."""

    truncated = False

    def __init__(self, write: Write, progress: Progress, done: int) -> None:
        """Nothing is written yet."""
        self._buffers = _Buffers(write, progress, done)
        self._buffered = io.BufferedWriter(self._buffers, BUFFER_BYTES)
        self.write = self._buffered.write

    def finish(self, rows: int) -> int:
        """All rows, now passed on."""
        self._buffered.flush()
        return rows


class _Buffers(io.RawIOBase):
    """Progress is a guess from the lines at the start of each buffer: counting all costs a tenth."""

    def __init__(self, write: Write, progress: Progress, done: int) -> None:
        super().__init__()
        self._write = write
        self._progress = progress
        self._lines = done
        self._told = done
        self._failed = False

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any, /) -> int:
        size = len(data)
        if self._failed:
            return size  # the buffer tries again when it is closed
        self._failed = True
        self._write(data)
        sample = bytes(data[:SAMPLE_BYTES])
        self._lines += sample.count(b"\n") * size // len(sample)
        if self._lines >= self._told + PROGRESS_ROWS:
            self._told = self._lines
            self._progress(self._lines)
        self._failed = False
        return size
