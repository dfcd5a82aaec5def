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

from analytics_worker.private_folder import create_private

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PID_NAMESPACE = Path("/proc/self/ns/pid")
RUN_RECORDS = "worker/runs"
"""Folder of the records, below the state directory."""
MAX_TEXT = 16_384
NOT_ACQUIRED = -1
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

    @staticmethod
    def seconds_since_boot() -> float:
        """Return when this process was started, on the clock that counts from the boot of the host."""
        fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
        return int(fields[START_TIME]) / os.sysconf("SC_CLK_TCK")

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
        try:
            temporary.write_text(f"{self.pid} {self.started} {self.boot}")
            temporary.replace(path)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise

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


@dataclass(frozen=True)
class Place:
    """Where an open file is, and where this process sees it from.

    A restart of a worker changes nothing of it. A copy of the folder, a container from an image that has
    the folder, a clone of the machine and a reboot do. Equal for two living processes only if they see
    each other's processes and locks.
    """

    boot: str
    namespace: int
    device: int
    inode: int

    @classmethod
    def of(cls, file: int) -> Self:
        """Return the place of an open file."""
        status = os.fstat(file)
        boot, namespace = BOOT_ID.read_text().strip(), PID_NAMESPACE.stat().st_ino
        return cls(boot, namespace, status.st_dev, status.st_ino)


class NameLock:
    """A worker's name, taken by one process of this host at a time; its file holds a short text."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = NOT_ACQUIRED

    def acquire(self) -> bool:
        """Acquire the lock for the lifetime of this process; False if another process has it."""
        create_private(self.path.parent)
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
        if self._file != NOT_ACQUIRED:
            os.close(self._file)
            self._file = NOT_ACQUIRED

    @property
    def place(self) -> Place:
        """Where the file of the acquired lock is."""
        return Place.of(self._file)

    def read(self) -> str:
        """Return the text of the acquired lock's file."""
        return os.pread(self._file, MAX_TEXT, 0).decode(errors="replace")

    def write(self, text: str) -> None:
        """Replace the text; the file stays the same one, which the lock is on."""
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text.encode(), 0)
        os.fsync(self._file)


def remove_record(record: Path) -> None:
    """Remove a process's record, once its run is settled."""
    record.unlink(missing_ok=True)
