"""A component's output in a file that never grows beyond a few megabytes.

Writes ``<log_dir>/<name>.log`` and up to three older ones. A full disk or a missing folder never
stops the component: what can't be written is dropped, and reported once, until it can be written again.
"""

import itertools
from collections.abc import Callable
from pathlib import Path

from analytics_worker.disk_problems import free_space
from analytics_worker.json_lines import message_of_line

MAX_BYTES = 10_000_000
OLDER_FILES = 3
_UNSAFE = bytes({*range(32), 127} - {*b"\n\t"})
_SAFE = bytes.maketrans(_UNSAFE, b"?" * len(_UNSAFE))
"""Replaces terminal escapes that a component quotes from data."""


class LogFile:
    """An append-only file with rotation by size."""

    def __init__(
        self, path: Path, say: Callable[[str], None], *, max_bytes: int = MAX_BYTES
    ) -> None:
        self.path = path
        self.last_line = ""
        self._say = say
        self._max_bytes = max_bytes
        self._failing = False

    def write(self, data: bytes) -> None:
        """Append the data; on a problem drop it and print that once."""
        data = data.translate(_SAFE)
        lines = data.decode(errors="replace").strip().splitlines()
        self.last_line = message_of_line(lines[-1]) if lines else self.last_line
        try:
            self._append(data)
        except OSError as error:
            if not self._failing:
                self._say(
                    f"{self.path} can't be written ({error.strerror}, {free_space(self.path)}): its output is dropped until"
                    " it can. Free some space, or set LOG_DIR."
                )
            self._failing = True
        else:
            self._failing = False

    def _append(self, data: bytes) -> None:
        if self.path.exists() and self.path.stat().st_size + len(data) > self._max_bytes:
            self._rotate()
        with self.path.open("ab") as file:
            file.write(data)

    def _rotate(self) -> None:
        names = [
            self.path,
            *(self.path.with_suffix(f".log.{n}") for n in range(1, OLDER_FILES + 1)),
        ]
        for newer, older in reversed(list(itertools.pairwise(names))):
            if newer.exists():
                newer.replace(older)
