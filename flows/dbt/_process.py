"""A dbt process of our own that can be stopped at any moment.

Starts ``_invoke.py`` in a session of its own, where dbt is imported already if the worker has
prepared a spare process, and reads its events. dbt ends its queries when it is
interrupted (SIGINT); when it is killed they would go on, so the order is: SIGINT, a grace period,
SIGKILL. The child dies with this process, too. Nothing is kept: starting another one is safe.
"""

import json
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from analytics_worker.prefect_support import warm_process

GRACE_SECONDS = 6.0
TICK_SECONDS = 0.5  # how often a blocked read lets Python deliver an exception to this thread
TAIL_BYTES = 4000
PROGRAM = Path(__file__).with_name("_process_main.py")


class DbtDeadlineError(TimeoutError):
    """The time limit passed while dbt was still at work."""


class Child:
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
        """Process id, which is the process group's, too."""
        return self._process.pid

    def send(self, request: Mapping[str, Any]) -> None:
        """Give the child its one command."""
        try:
            with self._requests as stream:
                stream.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            return  # it died while it started: its exit status tells

    def events(self, deadline: float) -> Iterator[dict[str, Any]]:
        """What dbt reports, until it says that it is done or dies.

        Args:
            deadline: On the monotonic clock.

        Raises:
            DbtDeadlineError: the deadline passed.
        """
        with selectors.DefaultSelector() as selector:
            selector.register(self._events, selectors.EVENT_READ)
            while True:
                if time.monotonic() >= deadline:
                    raise DbtDeadlineError
                if not selector.select(min(TICK_SECONDS, max(0.0, deadline - time.monotonic()))):
                    continue
                chunk = os.read(self._events.fileno(), 1 << 16)
                if not chunk:
                    return
                yield from self._lines(chunk)

    def _lines(self, chunk: bytes) -> Iterator[dict[str, Any]]:
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        yield from map(json.loads, lines)

    def exit_status(self) -> int:
        """Wait for the end of a child that has closed its output."""
        return self._process.wait(GRACE_SECONDS)

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        return self._errors.read_bytes()[-TAIL_BYTES:].decode(errors="replace").strip()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> list[dict[str, Any]]:
        """End it, whatever it does; the events that it still sent."""
        late: list[dict[str, Any]] = []
        try:
            if self._process.poll() is None:
                self._signal(signal.SIGINT)
                late.extend(self.events(time.monotonic() + grace_seconds))
                self._process.wait(grace_seconds)
        except (DbtDeadlineError, subprocess.TimeoutExpired):
            pass  # what follows does not ask
        finally:  # also if an exception arrives while we wait
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
def child(directory: Path, environment: Mapping[str, str], errors: Path) -> Generator[Child]:
    """A dbt process that is gone when the block ends, in whichever way it ends."""
    with (
        _pipe() as (requests_in, requests),
        _pipe() as (events, events_out),
        errors.open("wb") as stderr,
    ):
        theirs = (requests_in, events_out, stderr)
        process = warm_process.start(
            PROGRAM,
            [str(os.getpid())],
            directory=directory,
            environment=environment,
            streams=[stream.fileno() for stream in theirs],
        )
        started = Child(process, requests, events, errors)
        try:
            for stream in theirs:
                stream.close()
            yield started
        finally:
            started.stop()


@contextmanager
def _pipe() -> Generator[tuple[IO[bytes], IO[bytes]]]:
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb", 0) as source, os.fdopen(sending, "wb") as target:
        yield source, target
