"""Send HTTP requests with the exact bytes of a test, and read the responses."""

import json
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any

Headers = Sequence[tuple[str, str]]
UPGRADE = (
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
)


@dataclass(frozen=True)
class Answer:
    """Status, headers in lower case, body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def detail(self) -> str:
        """The reason of a refusal."""
        return json.loads(self.body)["detail"]


def send(
    port: int, method: str, target: str, headers: Headers, body: bytes = b"", *, host: str = ""
) -> Answer:
    """Send it; a Host header is added only if ``host`` is given, a length where a body has none."""
    lines = [("Host", host)] if host else []
    length = bool(body) and "Transfer-Encoding" not in dict(headers)
    lines += [*headers, *([("Content-Length", str(len(body)))] if length else [])]
    header_lines = "".join(f"{name}: {value}\r\n" for name, value in lines)
    request = f"{method} {target} HTTP/1.1\r\n{header_lines}\r\n".encode("latin-1") + body
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        answer = HTTPResponse(connection, method=method)
        answer.begin()
        content = b"" if answer.status == 101 else answer.read()
        received = {name.lower(): value for name, value in answer.getheaders()}
    return Answer(answer.status, received, content)


def post_json(port: int, path: str, value: Any, headers: Headers = ()) -> Answer:
    """As a program of this host does it."""
    own = [("Content-Type", "application/json"), *headers]
    return send(port, "POST", path, own, json.dumps(value).encode(), host=f"127.0.0.1:{port}")
