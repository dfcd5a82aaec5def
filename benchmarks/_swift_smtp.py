"""An SMTP server that costs next to nothing, so that a measurement is about its clients.

It reads a mail until the final dot, counts it and says yes, on loopback, one thread a connection.
"""

import socketserver
import threading
from typing import Any

END = b"\r\n.\r\n"


class SwiftSmtp:
    """Start it, read ``port``, ``sizes`` of the mails that arrived, stop it."""

    def __init__(self) -> None:
        """Listen."""
        self.sizes: list[int] = []
        sizes = self.sizes

        class Session(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                _converse(self.request, sizes)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            request_queue_size = 100

        self._server = Server(("127.0.0.1", 0), Session)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _converse(connection: Any, sizes: list[int]) -> None:
    connection.sendall(b"220 ready\r\n")
    while command := connection.recv(4096):
        verb = command[:4].upper()
        if verb == b"QUIT":
            connection.sendall(b"221 bye\r\n")
            return
        connection.sendall(b"354 go on\r\n" if verb == b"DATA" else b"250 fine\r\n")
        if verb == b"DATA":
            sizes.append(_mail(connection))
            connection.sendall(b"250 got it\r\n")


def _mail(connection: Any) -> int:
    """Bytes of one mail."""
    size, tail = 0, b""
    while not tail.endswith(END):
        chunk = connection.recv(1 << 18)
        if not chunk:
            break
        size, tail = size + len(chunk), (tail + chunk)[-len(END) :]
    return size
