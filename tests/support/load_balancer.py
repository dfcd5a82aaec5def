"""A load balancer before several servers: each connection goes to the next one that accepts it."""

import itertools
import socket
import socketserver
from collections.abc import Sequence
from contextlib import suppress
from threading import Thread

from typing_extensions import override

from tests.support.background_server import BackgroundServer
from tests.support.ports import free_port

CHUNK = 1 << 16
CONNECT_SECONDS = 2.0


class LoadBalancer(BackgroundServer, socketserver.ThreadingTCPServer):
    """Listens on a port of 127.0.0.1; ``with`` it."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        """Choose a port; add the ports of the servers to ``backends`` later."""
        super().__init__(("127.0.0.1", free_port()), _PassOn)
        self.backends: Sequence[int] = ()
        self.taken = dict[int, int]()
        self._turns = itertools.count()

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(self.server_address[1])

    def connect(self) -> socket.socket | None:
        """Connect to the next server that accepts; None if none does."""
        first = next(self._turns)
        for step in range(len(self.backends)):
            port = self.backends[(first + step) % len(self.backends)]
            with suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), CONNECT_SECONDS)
                connection.settimeout(None)
                self.taken[port] = self.taken.get(port, 0) + 1
                return connection
        return None


class _PassOn(socketserver.BaseRequestHandler):
    """One connection, in both directions until either side ends it."""

    server: LoadBalancer  # pyright: ignore[reportIncompatibleVariableOverride]
    request: socket.socket

    @override
    def handle(self) -> None:
        upstream = self.server.connect()
        if upstream is None:
            return
        with upstream:
            back = Thread(target=_copy, args=(upstream, self.request), daemon=True)
            back.start()
            _copy(self.request, upstream)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(CHUNK):
            target.sendall(data)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
