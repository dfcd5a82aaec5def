"""One log file per pool, though all pools share one process.

Writes ``<log_dir>/worker-<pool>.log``: what the worker logs about the pool, and what its runs print.
A file that grows beyond a few megabytes is moved aside; a file that can't be written loses lines,
never a run.
"""

import logging
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from logging.handlers import RotatingFileHandler
from pathlib import Path

from typing_extensions import override

from analytics_worker.disk_problems import disk_problem
from analytics_worker.json_lines import context_fields
from analytics_worker.prefect_support.safe_logs import protect_logs
from analytics_worker.private_folder import create_private

MAX_BYTES = 10_000_000
OLDER_FILES = 3

current_pool: ContextVar[str | None] = ContextVar("current_pool", default=None)
"""The pool that this asyncio task works for; tasks inherit it from the task that starts them."""


class PoolLogHandler(logging.Handler):
    """Write each record to the file of its pool."""

    def __init__(self, folder: Path, pools: Iterable[str]) -> None:
        """Open one file per pool for appending."""
        super().__init__()
        create_private(folder)
        self._files = {pool: _file(log_file(folder, pool)) for pool in pools}

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802  # logging's name
        """Format all files alike."""
        for file in self._files.values():
            file.setFormatter(fmt)

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record if it is about a pool."""
        file = self._files.get(current_pool.get() or "")
        if file is not None:
            file.emit(record)

    def close(self) -> None:
        """Close all files."""
        for file in self._files.values():
            file.close()
        super().close()


def log_file(folder: Path, pool: str) -> Path:
    """The pool's log file."""
    return folder / f"worker-{pool}.log"


class _PoolFile(RotatingFileHandler):
    """A file that loses lines while it can't be written, and prints that once."""

    _is_failing = _was_failing = False

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._was_failing, self._is_failing = self._is_failing, False
        super().emit(record)

    @override
    def handleError(self, record: logging.LogRecord) -> None:  # logging's name
        error = sys.exc_info()[1]
        problem = error and disk_problem(error, Path(self.baseFilename))
        if problem is None:
            super().handleError(record)
            return
        if not self._was_failing:
            print(f"{problem}. Its lines are dropped until then.", file=sys.stderr)  # noqa: T201  # its log can't be written
        self._is_failing = True


def _file(path: Path) -> RotatingFileHandler:
    return _PoolFile(path, maxBytes=MAX_BYTES, backupCount=OLDER_FILES, delay=True)


def _has_no_pool(_record: logging.LogRecord) -> bool:
    return current_pool.get() is None


def split_by_pool(folder: Path, pools: Iterable[str]) -> None:
    """Write the logs of Prefect and of this worker about a pool to its file, not to the console."""
    protect_logs()
    context_fields.append(lambda: {"work_pool_name": current_pool.get()})
    files = PoolLogHandler(folder, pools)
    root = logging.getLogger()  # the only logger to whose handlers all records come
    for console in root.handlers:
        console.addFilter(_has_no_pool)
        files.setFormatter(console.formatter)
    root.addHandler(files)
