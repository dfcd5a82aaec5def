"""The exporter's open connections: so many at most, and none for longer than its turn.

Reads the clock; writes nothing. When there are too many, the one that waits longest is closed: a client
that only holds connections can't keep a scrape out, which is answered within milliseconds.
"""

import socket
import threading
import time
from contextlib import suppress

MAX_CONNECTIONS = 32
REQUEST_SECONDS = 10.0
"""Time limit of the request from its connection, and of the answer from its request."""
IDLE_SECONDS = 120.0
"""Between two requests on a connection: longer than the usual intervals of scrapes."""


class Connections:
    """Open connections in the order of their last activity, each with a deadline."""

    def __init__(self, most: int = MAX_CONNECTIONS) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._deadlines: dict[socket.socket, float] = {}
        self._free = threading.Semaphore(most)

    def admit(self, connection: socket.socket) -> None:
        """Add a connection; if there are too many, close the one that waits longest before.

        Waits until the thread of the closed one has ended, so there are never more threads.
        """
        admitted = self._free.acquire(blocking=False)
        while not admitted:
            self._close_longest_waiting()
            admitted = self._free.acquire(timeout=0.1)
        self.active(connection, REQUEST_SECONDS)

    def active(self, connection: socket.socket, seconds: float) -> None:
        """Give a connection its next deadline, and the last place in the order."""
        with self._lock:
            self._deadlines.pop(connection, None)
            self._deadlines[connection] = time.monotonic() + seconds

    def remove(self, connection: socket.socket) -> None:
        """Forget a connection whose thread ends."""
        with self._lock:
            known = self._deadlines.pop(connection, None)
        if known is not None:
            self._free.release()

    def close_overdue(self) -> None:
        """Close every connection whose deadline has passed."""
        now = time.monotonic()
        with self._lock:
            for connection in [c for c, at in self._deadlines.items() if at < now]:
                _shut_down(connection)

    def _close_longest_waiting(self) -> None:
        with self._lock:
            for connection in list(self._deadlines)[:1]:
                _shut_down(connection)


def _shut_down(connection: socket.socket) -> None:
    """End a connection under its thread, whose next read or write fails."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
