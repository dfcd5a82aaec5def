"""Record a running stack for other processes, and find what a killed one left.

Writes ``stack.env`` (mode 600: the database's URL, the API's address and login; read by analytics_worker.settings) and
``stack.json`` (components, pids) into the state folder. Both are replaced as a whole and removed at
the end. Holds ``stack.lock`` while the stack runs.
"""

import asyncio
import fcntl
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import psutil

from analytics_worker.disk_problems import disk_problem, named_disk_errors
from analytics_worker.stack.errors import StackError
from analytics_worker.stack_address import PROCESS_MARKER, STACK_ID, new_marker

MARKER = PROCESS_MARKER
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Component:
    """One supervised process, as `analytics-worker status` shows it."""

    name: str
    pid: int | None
    created: float | None
    ready: bool
    since: str | None
    restarts: int

    def is_running(self) -> bool:
        """Whether that very process still lives: another process may have its pid by now."""
        return is_alive(self.pid, self.created)


@dataclass(frozen=True)
class StackRecord:
    """The process of the stack, its addresses and its components."""

    pid: int
    created: float
    marker: str
    api_url: str
    since: str
    components: list[Component]
    metrics_port: int | None = None

    def is_running(self) -> bool:
        """Whether the stack that wrote this still runs."""
        return is_alive(self.pid, self.created)


def is_alive(pid: int | None, created: float | None) -> bool:
    """Whether the process of that pid and start time still lives."""
    if pid is None or created is None:
        return False
    try:
        process = psutil.Process(pid)
        return process.create_time() == created and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def created(pid: int) -> float | None:
    """Return when the process started; None if it has ended."""
    try:
        return psutil.Process(pid).create_time()
    except psutil.NoSuchProcess:
        return None


class StateFolder:
    """The files of one stack in its state folder."""

    def __init__(self, path: Path, marker: str | None = None) -> None:
        self.path = path
        self.env_file = path / "stack.env"
        self.marker = marker or new_marker()
        self.restore_marker = path / "restore-unfinished"
        self._record = path / "stack.json"
        self._lock: IO[str] | None = None

    def acquire_lock(self, *, restoring: bool = False) -> None:
        """Lock this folder against other stacks until this process ends, or `release_lock`.

        Raises:
            StackError: the folder can't be written, a stack runs in it, or a restore of it was not finished.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.path / "stack.lock").open("a+")
        except OSError as error:
            raise StackError(
                disk_problem(error, self.path)
                or f"{self.path} can't be written ({error.strerror}): set STATE_DIR to a folder of yours."
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            record = self.read()
            who = f" (process {record.pid}, since {record.since[:16]} UTC)" if record else ""
            raise StackError(
                f"The stack in {self.path} is already running{who}: stop it with Ctrl-C in its"
                " terminal first, or see `analytics-worker status`."
            ) from None
        if not restoring and self.restore_marker.exists():
            lock.close()
            raise StackError(
                "A restore of a backup was not finished here: run it again with --replace, or delete"
                f" {self.restore_marker} to start with what there is."
            )
        self._lock = lock

    def release_lock(self) -> None:
        """Let others use this folder."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def keep_lock_for_program(self) -> None:
        """Let the program that replaces this process keep the lock."""
        if self._lock is not None:
            os.set_inheritable(self._lock.fileno(), True)  # its only argument

    def clear_leftovers(self) -> int:
        """End what a killed stack left and forget its files; how many processes were ended."""
        record = self.read()
        left = _marked(record.marker) if record else []
        for process in left:
            process.terminate()
        for process in psutil.wait_procs(left, timeout=5)[1]:
            process.kill()
        self.remove_records()
        return len(left)

    def read(self) -> StackRecord | None:
        """The record of the stack that runs here or ran last; None after an orderly end."""
        try:
            content: dict[str, Any] = json.loads(self._record.read_text())
        except (OSError, ValueError):
            return None
        components = [Component(**component) for component in content.pop("components")]
        return StackRecord(components=components, **content)

    def write(self, record: StackRecord) -> None:
        """Replace the record."""
        self._replace(self._record, json.dumps(asdict(record), indent=1))

    def write_env(self, variables: Mapping[str, str]) -> None:
        """Record for the other processes of this checkout where everything is."""
        recorded = {STACK_ID: self.marker, **variables}
        lines = [f"{name}='{_escaped(value)}'\n" for name, value in recorded.items()]
        with named_disk_errors(self.path):
            self._replace(self.env_file, "".join(lines))

    def remove_records(self) -> None:
        """Remove the record that a stack runs here."""
        self.env_file.unlink(missing_ok=True)
        self._record.unlink(missing_ok=True)

    def _replace(self, path: Path, text: str) -> None:
        temporary = path.with_suffix(".new")
        temporary.unlink(missing_ok=True)
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600), "w") as file:
            file.write(text)
        temporary.replace(path)


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


class RecordWriter:
    """Record the running components after each change; retry while the disk is full.

    Called in the event loop of the stack, which must continue after errors of the disk.
    """

    def __init__(
        self, folder: StateFolder, record: Callable[[], StackRecord], say: Callable[[str], None]
    ) -> None:
        self._folder, self._record, self._say = folder, record, say
        self._again: asyncio.TimerHandle | None = None

    def __call__(self) -> None:
        """Replace the record by one of now."""
        failing = self._again is not None
        self.stop()
        try:
            self._folder.write(self._record())
        except OSError as error:
            if not failing:
                path = self._folder.path
                other = f"{path} can't be written ({error.strerror}): free some space."
                self._say(disk_problem(error, path) or other)
            self._again = asyncio.get_running_loop().call_later(RETRY_SECONDS, self)

    def stop(self) -> None:
        """Do not try again."""
        if self._again is not None:
            self._again.cancel()
            self._again = None


def _marked(marker: str) -> list[psutil.Process]:
    """Processes that descend from the stack with this marker: they have it in their environment."""
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARKER) == marker:
                found.append(process)
        except psutil.Error:
            continue  # of another user
    return found
