"""Sinks of COPY: count rows, report progress, and drop rows beyond a limit.

Hold one row or one buffer at a time. Write to the given function, nothing else.
"""

import io
from collections.abc import Callable
from typing import Any, Protocol

from typing_extensions import override

from flows.reports.formats.registry import PROGRESS_ROWS, ProgressCallback

BUFFER_BYTES = 1 << 20
SAMPLE_BYTES = 1 << 14
Write = Callable[[bytes | memoryview], object]


class Sink(Protocol):
    """Take the rows of COPY, which the driver passes one per call."""

    truncated: bool

    def write(self, data: bytes, /) -> object:
        """Write one row."""
        ...

    def finish(self, rows: int) -> int:
        """Flush; return how many of the ``rows`` that were sent have been passed on."""
        ...


def row_sink(write: Write, limit: int | None, progress: ProgressCallback, rows_before: int) -> Sink:
    """Return a sink; ``rows_before`` is the number of rows written by earlier queries."""
    if limit is None:
        return UnlimitedSink(write, progress, rows_before)
    return LimitedSink(write, limit, progress, rows_before)


class LimitedSink:
    """Count every row, and drop those beyond the limit."""

    def __init__(
        self, write: Write, limit: int, progress: ProgressCallback, rows_before: int
    ) -> None:
        self.truncated = False
        self._count = 0
        self._write = write
        self._limit = limit
        self._progress = progress
        self._rows_before = rows_before

    def write(self, data: bytes, /) -> None:
        """Write one row, unless it is beyond the limit."""
        if self._count == self._limit:
            self.truncated = True
            return
        self._write(data)
        self._count += 1
        if self._count % PROGRESS_ROWS == 0:
            self._progress(self._rows_before + self._count)

    def finish(self, rows: int) -> int:
        """Return the number of rows that were passed on."""
        return min(rows, self._limit)


class UnlimitedSink:
    """Pass rows on in buffers: no Python code runs per row, which halves the time."""

    truncated = False

    def __init__(self, write: Write, progress: ProgressCallback, rows_before: int) -> None:
        self._buffers = _Buffers(write, progress, rows_before)
        self._buffered = io.BufferedWriter(self._buffers, BUFFER_BYTES)
        self.write = self._buffered.write

    def finish(self, rows: int) -> int:
        """Flush; return the number of rows: all were passed on."""
        self._buffered.flush()
        return rows


class _Buffers(io.RawIOBase):
    """Estimates progress by the lines at the start of each buffer: counting all costs a tenth."""

    def __init__(self, write: Write, progress: ProgressCallback, rows_before: int) -> None:
        super().__init__()
        self._write = write
        self._progress = progress
        self._lines = rows_before
        self._reported = rows_before
        self._failed = False

    @override
    def writable(self) -> bool:
        return True

    @override
    def write(self, data: Any, /) -> int:
        size = len(data)
        if self._failed:
            return size  # the buffer retries when it is closed
        self._failed = True
        self._write(data)
        sample = bytes(data[:SAMPLE_BYTES])
        self._lines += sample.count(b"\n") * size // len(sample)
        if self._lines >= self._reported + PROGRESS_ROWS:
            self._reported = self._lines
            self._progress(self._lines)
        self._failed = False
        return size
