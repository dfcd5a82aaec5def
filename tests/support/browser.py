"""Run a real browser, if this machine has one, on pages of a foreign site."""

import json
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from tests.support.wait_until import wait_until

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
)
SECONDS = 90


def chromium() -> str:
    """Its path; the test is skipped without it."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("chromium is not on PATH (Debian has it in its package chromium)")
    return program


def shown(url: str, wait_milliseconds: int = 20_000) -> str:
    """The page as it is after its scripts have run."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = [f"--user-data-dir={profile}", f"--virtual-time-budget={wait_milliseconds}"]
        command = [chromium(), *FLAGS, *options, "--dump-dom", url]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    return done.stdout


class Site(ThreadingHTTPServer):
    """Serves pages by path, and keeps what they post."""

    daemon_threads = True

    def __init__(self, pages: Mapping[str, str]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pages = pages
        self.posted: Queue[Any] = Queue()

    def url(self, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Site  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:  # http.server's name
        page = self.server.pages.get(self.path, "")
        self._reply(200 if page else 404, page.encode())

    def do_POST(self) -> None:  # http.server's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.put(json.loads(body))
        self._reply(200, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def site(pages: Mapping[str, str]) -> Generator[Site]:
    """A running site."""
    server = Site(pages)
    threading.Thread(target=partial(server.serve_forever, 0.02), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def opened(url: str) -> Generator[Path]:
    """A browser that stays at the page; the folder of its profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [chromium(), *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0"]
        browser = subprocess.Popen(
            [*command, url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            yield Path(profile)
        finally:
            browser.terminate()
            browser.wait(20)


def visit(server: Site, url: str) -> Any:
    """Open the page in a browser and wait for what it posts to its own site."""
    with opened(url):
        return server.posted.get(timeout=SECONDS)


def evaluate(profile: Path, script: str) -> Any:
    """What a script gives in the page of an `opened` browser."""
    port_file = profile / "DevToolsActivePort"
    wait_until(lambda: port_file.exists() and port_file.read_text(), SECONDS)
    pages = httpx.get(f"http://127.0.0.1:{port_file.read_text().split()[0]}/json/list").json()
    address = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
    parameters = {"expression": script, "returnByValue": True}
    with connect(address, proxy=None) as devtools:
        devtools.send(json.dumps({"id": 1, "method": "Runtime.evaluate", "params": parameters}))
        answer = json.loads(devtools.recv(timeout=SECONDS))
    return answer["result"]["result"].get("value")
