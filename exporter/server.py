"""``/metrics`` and ``/health`` over HTTP. Reads what the pollers left in memory, never an API.

Writes nothing. Listens on loopback unless PROMETHEUS_HOST says otherwise.
"""

import json
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

from exporter.polling import Exposition

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
STUCK_SECONDS = 300.0
"""A poll waits at most as long for an API that does not answer, with all its retries."""


class Server(ThreadingHTTPServer):
    """Answers scrapes."""

    daemon_threads = True

    def __init__(self, host: str, port: int, exposition: Exposition) -> None:
        """Take the port.

        Raises:
            OSError: somebody has it.
        """
        self.exposition = exposition
        super().__init__((host, port), Handler)


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    protocol_version = "HTTP/1.1"
    server_version = "analytics-exporter"
    sys_version = ""
    timeout = 30
    wbufsize = -1  # one packet per answer

    def do_GET(self) -> None:
        """Answer."""
        match self.path.partition("?")[0]:
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE, self.server.exposition.metrics())
            case "/health":
                self._health()
            case _:
                known = b"Here are /metrics and /health.\n"
                self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", known)

    def _health(self) -> None:
        silent = self.server.exposition.silent_seconds()
        stuck = silent > STUCK_SECONDS
        said = {
            "status": "stuck" if stuck else "ok",
            "seconds_since_last_poll": round(silent, 1),
            "failing_collectors": self.server.exposition.broken(),
        }
        status = HTTPStatus.SERVICE_UNAVAILABLE if stuck else HTTPStatus.OK
        self._answer(status, "application/json", json.dumps(said).encode())

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a scrape every few seconds is no news."""
