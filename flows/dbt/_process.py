"""Start dbt in a child process that can be stopped at any time.

Starts ``_process_main.py`` in its own session and reads its events. It has dbt imported already if the
worker has a warm process. dbt cancels its queries when it is interrupted (SIGINT). They would
continue if it were killed, so the order is: SIGINT, a grace period, SIGKILL. The child also ends
with this process. Nothing is stored, so starting another process is safe.
"""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from analytics_worker.prefect_support import warm_process

GRACE_SECONDS = 6.0
TICK_SECONDS = 0.5  # how often a read allows Python to deliver an exception to this thread
STDERR_TAIL_BYTES = 4000
PROGRAM = Path(__file__).with_name("_process_main.py")


class DbtDeadlineError(TimeoutError):
    """The time limit passed while dbt was still running."""


class DbtProcess:
    """One dbt process."""

    def __init__(
        self, process: warm_process.Process, requests: IO[bytes], events: IO[bytes], errors: Path
    ) -> None:
        self._process = process
        self._requests = requests
        self._events = events
        self._errors = errors
        self._unread = b""

    @property
    def pid(self) -> int:
        """Process id, which is also the id of the process group."""
        return self._process.pid

    def send(self, request: Mapping[str, Any]) -> None:
        """Send the request to the process."""
        try:
            with self._requests as stream:
                stream.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            return  # it died during startup; its exit status is reported

    def events(
        self, deadline: float, tick: Callable[[], None] = lambda: None
    ) -> Iterator[dict[str, Any]]:
        """Yield the events of dbt until it finishes or dies.

        Args:
            deadline: On the monotonic clock.
            tick: Called whenever there was no event for half a second.

        Raises:
            DbtDeadlineError: the deadline passed.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._events, selectors.EVENT_READ)
            while True:
                if time.monotonic() >= deadline:
                    raise DbtDeadlineError
                if not selector.select(min(TICK_SECONDS, max(0.0, deadline - time.monotonic()))):
                    tick()
                    continue
                chunk = os.read(self._events.fileno(), 1 << 16)
                if not chunk:
                    return
                yield from self._lines(chunk)

    def _lines(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        yield from map(json.loads, lines)

    def exit_status(self) -> int:
        """Wait for the end of a process that has closed its output; return its exit status."""
        return self._process.wait(GRACE_SECONDS)

    def stderr_tail(self) -> str:
        """Return the end of its standard error."""
        return self._errors.read_bytes()[-STDERR_TAIL_BYTES:].decode(errors="replace").strip()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> list[dict[str, Any]]:
        """Stop the process in any state; return its remaining events."""
        late: list[dict[str, Any]] = []
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGINT)
                late.extend(self.events(time.monotonic() + grace_seconds))
                self._process.wait(grace_seconds)
        except (DbtDeadlineError, subprocess.TimeoutExpired):
            pass  # killed below
        finally:  # also if an exception is raised meanwhile
            if self._process.poll() is None:
                self._signal(signal.SIGKILL)
            self._process.wait()
        return late

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            return


@contextmanager
def dbt_process(
    directory: Path, environment: Mapping[str, str], errors: Path, program: Path | None = None
) -> Generator[DbtProcess]:
    """Run a dbt process that is stopped at the end of the block, also after an error.

    Args:
        directory: Working directory.
        environment: Its variables.
        errors: File of its standard error.
        program: What runs in the place of PROGRAM.
    """
    with (
        _pipe() as (requests_in, requests),
        _pipe() as (events, events_out),
        errors.open("wb") as stderr,
    ):
        child_streams = (requests_in, events_out, stderr)
        process = warm_process.start_program(
            program or PROGRAM,
            [str(os.getpid())],
            directory=directory,
            environment=environment,
            streams=[stream.fileno() for stream in child_streams],
        )
        started = DbtProcess(process, requests, events, errors)
        try:
            for stream in child_streams:
                stream.close()
            yield started
        finally:
            started.stop()


@contextmanager
def _pipe() -> Generator[tuple[IO[bytes], IO[bytes]]]:
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb", 0) as source, os.fdopen(sending, "wb") as target:
        yield source, target
