"""A proxy's login page: it answers every request with status 200 and HTML."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.background_server import BackgroundServer
from tests.support.ports import free_port

PAGE = b"<html>Please log in</html>"


class LoginPage(BackgroundServer, ThreadingHTTPServer):
    """Listens on a port of 127.0.0.1; ``with`` it."""

    daemon_threads = True

    def __init__(self) -> None:
        """Choose a port."""
        super().__init__(("127.0.0.1", free_port()), _Page)

    @property
    def port(self) -> int:
        """Where clients connect."""
        return int(self.server_address[1])


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name of the method in lower case is not called
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.send_header("content-length", str(len(PAGE)))
        self.end_headers()
        self.wfile.write(PAGE)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815  # as above
