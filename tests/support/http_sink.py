"""A real HTTP server on loopback that records requests and answers as configured."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.support.pausing_server import PausableServer
from tests.support.ports import free_port


@dataclass(frozen=True)
class Posted:
    """One request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def key(self) -> str:
        return self.headers["idempotency-key"]


@dataclass(frozen=True)
class Answer:
    status: int = 204
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class HttpSink(PausableServer):
    """Starts on a free port; `start` after `stop` comes back on the same one."""

    host = "127.0.0.1"

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.requests: list[Posted] = []
        self.connections = 0
        self.port = free_port()
        self.before_answer: Callable[[Posted], None] = lambda _posted: None
        self._next: list[Answer] = []
        self._default = Answer()
        self._tls = tls
        self._server: _Server | None = None

    @property
    def url(self) -> str:
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{self.host}:{self.port}/hook"

    def answer(self, code: int, body: bytes = b"", *, times: int | None = None, **headers: str):
        """Answer so from now on, or so many times (header names: ``_`` for ``-``)."""
        answer = Answer(code, body, tuple((k.replace("_", "-"), v) for k, v in headers.items()))
        if times is None:
            self._default = answer
        else:
            self._next += [answer] * times

    def keys(self) -> list[str]:
        """Idempotency keys in the order of arrival."""
        return [posted.key for posted in self.requests]

    def start(self) -> None:
        self._server = _Server((self.host, self.port), _Handler)
        self._server.sink = self
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end the kept connections, as a stopped process would."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            for connection in list(server.open):
                connection.close_connection = True
                connection.request.close()

    def next_answer(self) -> Answer:
        return self._next.pop(0) if self._next else self._default


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 100
    sink: HttpSink

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open: set[_Handler] = set()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that was killed is part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self)
        self.server.sink.connections += 1
        self.server.sink.connected()

    def finish(self) -> None:
        self.server.open.discard(self)
        super().finish()

    def do_POST(self) -> None:  # http.server's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        posted = Posted(self.path, headers, body)
        sink = self.server.sink
        sink.requests.append(posted)
        sink.before_answer(posted)
        sink.answering()
        self._reply(sink.next_answer())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""

    def _reply(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if answer.status != 204:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)


@pytest.fixture
def http_sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpSink]:
    """A running sink that webhooks may reach."""
    monkeypatch.setenv("OUTBOUND_ALLOWED_HOSTS", "127.0.0.1")
    sink = HttpSink()
    sink.start()
    yield sink
    sink.stop()
