"""A proxy before a server that delays each request, and remembers which ones there were."""

import re
import socket
import socketserver
import time
from contextlib import closing, suppress
from threading import Thread

from typing_extensions import override

from tests.support.background_server import BackgroundServer

CHUNK = 1 << 16
REQUEST = re.compile(rb"(?m)^(GET|POST|PATCH|PUT|DELETE) (\S+) HTTP/1.1\r$")
Address = tuple[str, int]


class SlowProxy(BackgroundServer, socketserver.ThreadingTCPServer):
    """Passes on everything that is sent, ``delay`` seconds later; ``with`` it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, listen: Address, server: Address, delay: float = 0.0) -> None:
        """Listen at one address for the server at the other."""
        super().__init__(listen, _PassOn)
        self.server_at = server
        self.delay = delay
        self.requests: list[str] = []
        self.connections: set[socket.socket] = set()

    def count(self, pattern: str) -> int:
        """Return how many requests were like ``POST /api/flow_runs/filter``."""
        return sum(1 for request in self.requests if re.search(pattern, request))

    @override
    def end_connections(self) -> None:
        for connection in list(self.connections):
            _end(connection)


class _PassOn(socketserver.BaseRequestHandler):
    """One connection."""

    server: SlowProxy  # pyright: ignore[reportIncompatibleVariableOverride]
    request: socket.socket

    @override
    def handle(self) -> None:
        with (
            suppress(OSError),
            closing(socket.create_connection(self.server.server_at)) as upstream,
        ):
            self.server.connections |= {self.request, upstream}
            replies = Thread(target=_copy, args=(upstream, self.request), daemon=True)
            replies.start()
            self._send_requests(upstream)
            _end(upstream)
            replies.join()
            self.server.connections -= {self.request, upstream}

    def _send_requests(self, upstream: socket.socket) -> None:
        with suppress(OSError):
            while chunk := self.request.recv(CHUNK):
                found = REQUEST.findall(chunk)
                self.server.requests += [f"{verb.decode()} {path.decode()}" for verb, path in found]
                if found and self.server.delay:
                    time.sleep(self.server.delay)
                upstream.sendall(chunk)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(CHUNK):
            target.sendall(chunk)
    _end(target)


def _end(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
