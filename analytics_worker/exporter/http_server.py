"""``/metrics`` and ``/health`` over HTTP. Reads what the pollers left in memory, never an API.

Writes nothing. Listens on loopback unless PROMETHEUS_HOST sets another address. Connections, their time and the
size of a request are limited (`analytics_worker.exporter.connections`), and on loopback only local names are answered
(`analytics_worker.exporter.request_hosts`). No answer may be read by a page of another site.
"""

import json
import socket
import sys
from http import HTTPStatus
from http.client import LineTooLong
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from typing import Any

from typing_extensions import override

from analytics_worker.exporter.connections import IDLE_SECONDS, REQUEST_SECONDS, Connections
from analytics_worker.exporter.poller import Exposition
from analytics_worker.exporter.request_hosts import RequestHosts

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PLAIN_TEXT = "text/plain; charset=utf-8"
MAX_REQUEST_BYTES = 16 * 1024
STUCK_SECONDS = 300.0
"""A poll waits at most as long for an API that does not answer, with all its retries."""


class Server(ThreadingHTTPServer):
    """Answers scrapes."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, host: str, port: int, exposition: Exposition, hosts: RequestHosts) -> None:
        """Take the port.

        Raises:
            OSError: the port is in use.
        """
        self.exposition = exposition
        self.hosts = hosts
        self.connections = Connections()
        super().__init__((host, port), Handler)

    @override
    def process_request(self, request: Any, client_address: Any) -> None:
        """Start a thread, as soon as there is a free one."""
        self.connections.admit(request)
        super().process_request(request, client_address)

    @override
    def shutdown_request(self, request: Any) -> None:
        """End a connection, and with it the thread."""
        self.connections.remove(request)
        super().shutdown_request(request)

    @override
    def service_actions(self) -> None:
        """Close what takes too long; called twice a second."""
        self.connections.close_overdue()

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log nothing about connections that end early: the client or this server ended them."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class BoundedReader:
    """Lines of a request, up to a number of bytes in all."""

    def __init__(self, stream: BufferedIOBase) -> None:
        self._stream = stream
        self._left = MAX_REQUEST_BYTES

    def restart(self) -> None:
        """Begin with the next request."""
        self._left = MAX_REQUEST_BYTES

    def readline(self, limit: int = -1) -> bytes:
        """Read a line.

        Raises:
            LineTooLong: the request is longer than it may be.
        """
        most = self._left + 1 if limit < 0 else min(limit, self._left + 1)
        line = self._stream.readline(most)
        self._left -= len(line)
        if self._left < 0:
            raise LineTooLong("request")
        return line

    def close(self) -> None:
        """Close the stream."""
        self._stream.close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    request: socket.socket
    bounded: BoundedReader
    protocol_version = "HTTP/1.1"
    server_version = "analytics-exporter"
    sys_version = ""
    timeout = IDLE_SECONDS
    wbufsize = -1  # one packet per answer

    @override
    def setup(self) -> None:
        """Limit what is read."""
        super().setup()
        self.bounded = BoundedReader(self.rfile)
        self.rfile = self.bounded  # pyright: ignore[reportAttributeAccessIssue]  # has what is used

    @override
    def handle_one_request(self) -> None:
        """Answer a request, if it is not too long."""
        self.bounded.restart()
        try:
            super().handle_one_request()
        except LineTooLong:
            self.command, self.requestline, self.request_version = "", "", self.protocol_version
            self.send_error(HTTPStatus.REQUEST_URI_TOO_LONG)
            self.close_connection = True
            self.wfile.flush()

    @override
    def parse_request(self) -> bool:
        """Read the headers, for which the client has so long."""
        self.server.connections.active(self.request, REQUEST_SECONDS)
        return super().parse_request()

    def do_HEAD(self) -> None:
        """Answer without a body."""
        self.do_GET()

    def do_GET(self) -> None:
        """Answer."""
        if self._has_body():
            self.close_connection = True  # what follows would be read as the next request
            self._answer(HTTPStatus.BAD_REQUEST, PLAIN_TEXT, b"A request has no body here.\n")
        elif not self.server.hosts.permits(self.headers.get_all("Host") or []):
            how = b"Not a known Host: add it to PROMETHEUS_ALLOWED_HOSTS.\n"
            self._answer(HTTPStatus.MISDIRECTED_REQUEST, PLAIN_TEXT, how)
        else:
            self._page()

    def _has_body(self) -> bool:
        length = self.headers.get("Content-Length", "0").strip()
        return length != "0" or "Transfer-Encoding" in self.headers

    def _page(self) -> None:
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE, self.server.exposition.metrics())
            case "/health":
                self._health()
            case _:
                known = b"Here are /metrics and /health.\n"
                self._answer(HTTPStatus.NOT_FOUND, PLAIN_TEXT, known)

    def _health(self) -> None:
        age = self.server.exposition.seconds_since_poll()
        stuck = age > STUCK_SECONDS
        health = {
            "status": "stuck" if stuck else "ok",
            "seconds_since_last_poll": round(age, 1),
            "failing_collectors": self.server.exposition.broken(),
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK
        self._answer(status, "application/json", json.dumps(health).encode())

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.wfile.flush()
        self.server.connections.active(self.request, IDLE_SECONDS)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a scrape every few seconds is normal."""
