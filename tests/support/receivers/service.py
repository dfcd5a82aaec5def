"""A real HTTP server on loopback that checks requests as a service documents it, and answers as it does.

A receiver names its rules with `InvalidRequestError`; what breaks one is answered with the service's own error and
kept in ``rejected``. Tests assert on ``accepted`` and that ``rejected`` is empty.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


class InvalidRequestError(Exception):
    """The request breaks a rule of the documentation."""


@dataclass(frozen=True)
class Request:
    """One request; header names in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        require(self.headers.get("content-type", "").startswith("application/json"), "no JSON")
        text = self.body.decode("utf-8")  # strict: a service reads valid UTF-8 only
        value = json.loads(text, parse_constant=_no_constant)
        require(isinstance(value, dict), "the body is not an object")
        return value


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict[str, str])


def json_answer(status: int, body: dict[str, Any], **headers: str) -> Answer:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, json.dumps(body).encode(), {"Content-Type": "application/json", **names})


class Service:
    """Subclasses implement `handle`, and `invalid` for the answer to a wrong request."""

    def __init__(self) -> None:
        self.accepted: list[Any] = []
        self.rejected: list[str] = []
        self.requests: list[Request] = []
        self._next: list[Answer] = []
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.answer = self._answer

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def handle(self, request: Request) -> Answer:
        raise NotImplementedError

    def invalid(self, reason: str) -> Answer:
        raise NotImplementedError

    def answer_next(self, *answers: Answer) -> None:
        """Answer the next requests so, independent of their content."""
        self._next += answers

    def __enter__(self):
        Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: Request) -> Answer:
        self.requests.append(request)
        if self._next:
            return self._next.pop(0)
        try:
            return self.handle(request)
        except (InvalidRequestError, ValueError, KeyError, TypeError) as error:
            self.rejected.append(f"{type(error).__name__}: {error}")
            return self.invalid(str(error))


def require(holds: object, rule: str) -> None:
    """Refuse the request unless the rule holds."""
    if not holds:
        raise InvalidRequestError(rule)


def text(value: Any, name: str, limit: int, *, least: int = 1) -> str:
    """Return a text of the length that the documentation allows, in UTF-16 units: the strictest."""
    require(isinstance(value, str), f"{name} is not a text")
    length = len(value.encode("utf-16-le")) // 2  # a lone surrogate raises
    require(
        least <= length <= limit, f"{name} has {length} characters; expected {least} to {limit}"
    )
    return value


def require_known_fields(value: Any, name: str, keys: set[str]) -> None:
    """Refuse fields that the documentation does not name."""
    require(isinstance(value, dict), f"{name} is not an object")
    require(set(value) <= keys, f"{name} has unknown fields {sorted(set(value) - keys)}")


def web_address(value: Any, name: str, limit: int = 3000) -> None:
    require(text(value, name, limit).startswith(("http://", "https://")), f"{name} is no address")


def _no_constant(name: str) -> None:
    raise InvalidRequestError(f"{name} is not JSON")


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    answer: Callable[[Request], Answer]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:  # http.server's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        answer = self.server.answer(Request(self.path, headers, body))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Print nothing."""
