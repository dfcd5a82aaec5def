"""A proxy of a server on a unix socket that can lose a reply: the request arrives, its reply does not."""

import socket
import socketserver
from pathlib import Path

from typing_extensions import override

from tests.support.background_server import BackgroundServer

CHUNK = 1 << 16


class LossyProxy(BackgroundServer, socketserver.ThreadingUnixStreamServer):
    """Passes on everything that is sent, ``with`` it; loses the next reply after ``lose_one``."""

    daemon_threads = True

    def __init__(self, socket_path: Path, server_path: Path) -> None:
        """Listen at one socket for the server that listens at the other."""
        super().__init__(str(socket_path), _PassOn)
        self.server_path = server_path
        self._is_losing = False

    def lose_one(self) -> None:
        """Close the connection that carries the next reply, instead of passing it on."""
        self._is_losing = True

    def is_lost(self) -> bool:
        """Whether a reply is to be lost; asked once for each."""
        was_losing, self._is_losing = self._is_losing, False
        return was_losing


class _PassOn(socketserver.BaseRequestHandler):
    """One connection: a request, its reply, and so on."""

    server: LossyProxy  # pyright: ignore[reportIncompatibleVariableOverride]
    request: socket.socket

    @override
    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as upstream:
            upstream.connect(str(self.server.server_path))
            while request := self.request.recv(CHUNK):
                upstream.sendall(request)
                reply = upstream.recv(CHUNK)
                if self.server.is_lost():
                    return
                self.request.sendall(reply)
