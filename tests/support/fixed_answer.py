"""An HTTP server that answers every request alike, as a proxy or a login page before the Prefect API does."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from typing_extensions import override

from tests.support.background_server import BackgroundServer

PAGE = b"<html>Please log in</html>"


class FixedAnswer(BackgroundServer, ThreadingHTTPServer):
    """Listens on a port of 127.0.0.1; ``with`` it."""

    daemon_threads = True

    def __init__(self, status: int = 200, kind: str = "text/html", body: bytes = PAGE) -> None:
        """Choose a port and the answer, which can be changed later."""
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.kind, self.body = status, kind, body
        self.requests: list[str] = []

    @property
    def api_url(self) -> str:
        """What clients set as PREFECT_API_URL."""
        return f"http://127.0.0.1:{self.server_port}/api"


class _Handler(BaseHTTPRequestHandler):
    server: FixedAnswer  # pyright: ignore[reportIncompatibleVariableOverride]

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append(f"{self.command} {self.path}")
        self.send_response(self.server.status)
        self.send_header("Content-Type", self.server.kind)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815  # the library's names

    @override
    def log_message(self, format: str, *args: object) -> None:  # the library's signature
        """Print nothing."""
