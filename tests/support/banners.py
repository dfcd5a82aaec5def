"""Run servers whose greeting is neither HTTP nor SMTP."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

BANNERS = [
    b"SSH-2.0-OpenSSH_canary\r\n",
    b"220 (vsFTPd canary)\r\n",
    b"-ERR canary\r\n",
    b"\x4a\x00\x00\x00\x0a8.0.33-canary\x00",
    b"HTPP/1.1 400 canary\r\n\r\n",
]


@contextmanager
def banner_server(banner: bytes, answer: bytes = b"") -> Generator[int]:
    """Greet each connection, answer every line, and close at the client's end; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, banner, answer), daemon=True).start()
        yield listener.getsockname()[1]
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)


def _serve(listener: socket.socket, banner: bytes, answer: bytes) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.sendall(banner)
                while answer and connection.recv(4096):
                    connection.sendall(answer)
                if not answer:
                    connection.recv(4096)
