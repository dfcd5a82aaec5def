"""Pause a server at a defined point, so that a test can act on its client meanwhile."""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class PausableServer:
    """Pauses of a sink when a client connects, and before it answers a message."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self._paused = threading.Event()
        self._connections = False
        self._answer = 0
        self._seen = 0

    @contextmanager
    def pausing_connections(self) -> Generator[threading.Event]:
        """Send no greetings; the event is set when a client waits."""
        self._prepare()
        self._connections = True
        try:
            yield self._paused
        finally:
            self._connections = False
            self.release()

    @contextmanager
    def pausing_answer(self, *, to: int) -> Generator[threading.Event]:
        """Do not answer the n-th message from now on; the event is set when it has arrived."""
        self._prepare()
        self._answer = self._seen + to
        try:
            yield self._paused
        finally:
            self._answer = 0
            self.release()

    def release(self) -> None:
        """Resume."""
        self._released.set()

    def connected(self) -> None:
        if self._connections:
            self._pause()

    def answering(self) -> None:
        self._seen += 1
        if self._seen == self._answer:
            self._pause()

    def _prepare(self) -> None:
        self._released.clear()
        self._paused.clear()

    def _pause(self) -> None:
        self._paused.set()
        self._released.wait(timeout=60)
