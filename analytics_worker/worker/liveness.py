"""Show from outside that a worker's event loop runs: a file that it touches, and reports to systemd's watchdog.

Writes ``worker/<name>.alive`` below the state directory, with the identity of the process; the file's time is the
time of the last report. An orderly end removes it. `check_workers` reads these files; it imports no Prefect.
"""

import asyncio
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from analytics_worker import systemd
from analytics_worker.process_identity import ProcessIdentity

SUFFIX = ".alive"
MAX_AGE_SECONDS = 60.0
"""Age of the last report from which a worker counts as stuck; it reports every 10 s or more often."""


class Liveness:
    """The reports of this process."""

    def __init__(self, folder: Path, name: str) -> None:
        """Choose the file; nothing is written yet."""
        self._path = folder / f"{name}{SUFFIX}"

    async def report(self) -> None:
        """Report until cancelled; a full disk does not end the reports to systemd."""
        with suppress(OSError):
            identity = ProcessIdentity.of(os.getpid())
            if identity is not None:
                identity.write(self._path)
        systemd.notify(systemd.READY)
        while True:
            systemd.notify(systemd.ALIVE)
            with suppress(OSError):
                os.utime(self._path)
            await asyncio.sleep(systemd.report_seconds())

    def end(self) -> None:
        """Remove the file: this worker is meant to have ended."""
        systemd.notify(systemd.STOPPING)
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def check_workers(folder: Path) -> Iterator[str]:
    """Yield what is wrong with the workers of a folder, a line each; no worker is wrong, too."""
    files = sorted(folder.glob(f"*{SUFFIX}"))
    if not files:
        yield f"no worker was started in {folder.parent}: run `analytics-worker worker`"
    for file in files:
        if problem := _problem(file):
            yield f"{file.stem} {problem}"


def _problem(file: Path) -> str | None:
    """Return what is wrong with the worker of that file; a worker that ended meanwhile is no problem."""
    try:
        age = time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return None
    identity = ProcessIdentity.read(file)
    if identity is None or not identity.is_alive():
        return "was killed: its process no longer exists"
    if age > MAX_AGE_SECONDS:
        return f"is stuck: process {identity.pid} has reported nothing for {age:.0f} s"
    return None
