"""Identify a process by pid and start time, so that a reused pid is not mistaken for it.

A pid is reused; a pid with the start time and the boot of the host is not. Children note theirs in
a file, and a worker holds a lock file for as long as it lives. Reads /proc; writes one small file
per run below the state directory, replaced as a whole.
"""

import fcntl
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Self

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
START_TIME = 19  # index after the command's name, see proc(5)


@dataclass(frozen=True)
class ProcessIdentity:
    """One process of one boot of this host."""

    pid: int
    started: int
    boot: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """Return the identity of a living process; None if there is none, or only a zombie."""
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        if fields[0] in "ZX":
            return None
        return cls(pid, int(fields[START_TIME]), BOOT_ID.read_text().strip())

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read the record of a child; None if there is no valid one."""
        try:
            pid, started, boot = path.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        return cls(int(pid), int(started), boot)

    def write(self, path: Path) -> None:
        """Write the record, as a whole or not at all."""
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(f"{self.pid} {self.started} {self.boot}")
        temporary.replace(path)

    def is_alive(self) -> bool:
        """Whether that very process still lives."""
        return self.of(self.pid) == self

    def ignores(self, number: signal.Signals) -> bool:
        """Whether that process has chosen to ignore the signal."""
        try:
            lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return False
        (mask,) = (line.split()[1] for line in lines if line.startswith("SigIgn:"))
        return bool(int(mask, 16) >> (number - 1) & 1)


class NameLock:
    """A worker's name, taken by one process of this host at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> bool:
        """Acquire the lock for the lifetime of this process; False if another process has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            return False
        self._file = file
        return True

    def release(self) -> None:
        """Release the lock."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def remove_record(record: Path) -> None:
    """Remove a process's record, once its run is settled."""
    record.unlink(missing_ok=True)
