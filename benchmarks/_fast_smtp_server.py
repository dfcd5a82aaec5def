"""Run an SMTP server with little overhead, so that a benchmark measures its clients.

It reads an email until the final dot, counts and accepts it, on loopback, with a thread per connection.
"""

import socketserver
import threading
from typing import Any

END = b"\r\n.\r\n"


class FastSmtpServer:
    """A running server with its ``port`` and the ``sizes`` of the emails that arrived."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        sizes = self.sizes

        class Session(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                _serve_session(self.request, sizes)

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


def _serve_session(connection: Any, sizes: list[int]) -> None:
    connection.sendall(b"220 ready\r\n")
    while command := connection.recv(4096):
        verb = command[:4].upper()
        if verb == b"QUIT":
            connection.sendall(b"221 bye\r\n")
            return
        connection.sendall(b"354 go on\r\n" if verb == b"DATA" else b"250 fine\r\n")
        if verb == b"DATA":
            sizes.append(_read_email(connection))
            connection.sendall(b"250 got it\r\n")


def _read_email(connection: Any) -> int:
    """Read one email and return its size in bytes."""
    size, ending = 0, b""
    while not ending.endswith(END):
        chunk = connection.recv(1 << 18)
        if not chunk:
            break
        size, ending = size + len(chunk), (ending + chunk)[-len(END) :]
    return size
