"""Hold a server at a chosen moment, so that a test can do something to its client meanwhile."""

import threading
from collections.abc import Generator
from contextlib import contextmanager


class Holdable:
    """What a sink calls when a client connects and before it answers a message."""

    def __init__(self) -> None:
        self._released = threading.Event()
        self._held = threading.Event()
        self._connections = False
        self._answer = 0
        self._seen = 0

    @contextmanager
    def holding_connections(self) -> Generator[threading.Event]:
        """Greet nobody; the event says that somebody waits."""
        self._prepare()
        self._connections = True
        try:
            yield self._held
        finally:
            self._connections = False
            self.release()

    @contextmanager
    def holding_answer(self, *, to: int) -> Generator[threading.Event]:
        """Keep the n-th message from now on without answering; the event says that it is there."""
        self._prepare()
        self._answer = self._seen + to
        try:
            yield self._held
        finally:
            self._answer = 0
            self.release()

    def release(self) -> None:
        """Go on."""
        self._released.set()

    def connected(self) -> None:
        if self._connections:
            self._hold()

    def answering(self) -> None:
        self._seen += 1
        if self._seen == self._answer:
            self._hold()

    def _prepare(self) -> None:
        self._released.clear()
        self._held.clear()

    def _hold(self) -> None:
        self._held.set()
        self._released.wait(timeout=60)
