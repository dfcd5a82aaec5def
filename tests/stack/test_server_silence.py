"""Connections that never log in do not stop the API; websockets that send nothing are closed."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

import httpx
import pytest
from fastapi import FastAPI
from prefect.server.api.server import RequestLimitMiddleware
from starlette.middleware.gzip import GZipMiddleware
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from analytics_worker.server.request_limit import ApiRequestLimit, limit_api_requests
from analytics_worker.server.websocket_login_limits import LIMIT
from tests.support.attacks import attack
from tests.support.guarded_server import LOGIN, start_server
from tests.support.processes import Server
from tests.support.raw_http import UPGRADE, Headers

SILENT = 140
PATHS = (
    "/api/events/in",
    "/api/events/out",
    "/api/logs/out",
    "/api/task_runs/subscriptions/scheduled",
    "/api/work_pools/any/workers/connect",
)


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It asks for a login, and waits two seconds for it instead of ten."""
    home = tmp_path_factory.mktemp("impatient") / "prefect"
    module = "tests.support.short_timeout_server"
    with start_server(home, module=module, PREFECT_SERVER_API_AUTH_STRING=LOGIN) as server:
        yield server


def asking(server: Server, line: str, headers: Headers = (), body: bytes = b"") -> socket.socket:
    """A connection that has sent a request, and reads nothing yet."""
    lines = [("Host", f"127.0.0.1:{server.port}"), *headers]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    opened = socket.socket()
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    opened.settimeout(30)
    opened.connect(("127.0.0.1", server.port))
    opened.sendall(f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return opened


def silent(server: Server, path: str) -> socket.socket:
    """A websocket that has requested its handshake, and sends no more."""
    return asking(server, f"GET {path}", [*UPGRADE, ("Sec-WebSocket-Protocol", "prefect")])


def answers_health(server: Server) -> bool:
    return httpx.get(f"{server.api_url}/health", timeout=30).is_success


def statuses(sockets: list[socket.socket]) -> list[int]:
    return [int(each.recv(4096).split()[1]) for each in sockets]


def speaking(server: Server) -> ClientConnection:
    """A client's websocket that has logged in."""
    url = f"ws://127.0.0.1:{server.port}/api/events/in"
    made = connect(url, subprotocols=[Subprotocol("prefect")], proxy=None)
    made.send(json.dumps({"type": "auth", "token": LOGIN}))
    assert json.loads(made.recv(30)) == {"type": "auth_success"}
    return made


def last_of(opened: socket.socket) -> bytes:
    """What it reads until its end."""
    read = b""
    while more := opened.recv(4096):
        read += more
        opened.shutdown(socket.SHUT_WR)
    return read


@attack(
    by="local user",
    what="140 websockets without a login that never send a message",
    answer="20 may wait, for ten seconds; the API answers meanwhile, and clients connect afterwards",
)
def test_silent_websockets_do_not_stop_the_api(impatient_server: Server):
    with ExitStack() as stack:
        client = stack.enter_context(speaking(impatient_server))
        sockets = [
            stack.enter_context(silent(impatient_server, PATHS[n % len(PATHS)]))
            for n in range(SILENT)
        ]
        answers = statuses(sockets)
        assert answers_health(impatient_server)
        assert answers.count(HTTPStatus.SWITCHING_PROTOCOLS) == LIMIT
        assert answers.count(HTTPStatus.SERVICE_UNAVAILABLE) == SILENT - LIMIT
        waiting = [s for s, status in zip(sockets, answers, strict=True) if status == 101]
        assert all(b"no message within" in last_of(each) for each in waiting)
        with speaking(impatient_server) as late:
            for each in (
                client,
                late,
            ):  # a websocket that has sent a message stays open without more
                assert each.ping().wait(30)
    assert "Traceback" not in impatient_server.output()


def test_those_that_have_spoken_leave_room(impatient_server: Server):
    with ExitStack() as stack:
        clients = [stack.enter_context(speaking(impatient_server)) for _ in range(LIMIT + 5)]
        for _ in range(LIMIT + 5):  # and so do those that leave without a word
            with silent(impatient_server, PATHS[0]) as one:
                assert statuses([one]) == [101]
                one.shutdown(socket.SHUT_WR)
                one.recv(4096)
        assert all(each.ping().wait(30) for each in clients)


@attack(
    by="local user",
    what="140 requests without a login for a large file of the UI, whose answers are never read",
    answer="They take no place among the API's hundred requests; the API answers",
)
def test_unread_files_do_not_stop_the_api(impatient_server: Server):
    page = httpx.get(f"http://127.0.0.1:{impatient_server.port}/", follow_redirects=True)
    files = re.findall(r'href="(/assets/[^"]+\.js)"', page.text)
    sizes = {name: len(httpx.get(str(page.url.join(name))).content) for name in files}
    largest = max(sizes, key=lambda name: sizes[name])
    assert sizes[largest] > 4_000_000  # more than the kernel's buffers take
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(asking(impatient_server, f"GET {largest}")) for _ in range(SILENT)
        ]
        assert {each.recv(12) for each in sockets} == {b"HTTP/1.1 200"}
        assert answers_health(impatient_server)


@attack(
    by="local user",
    what="140 writes without a login whose bodies never come",
    answer="401 before the body; the API answers",
)
def test_unfinished_bodies_do_not_stop_the_api(impatient_server: Server):
    headers = [("Content-Type", "application/json"), ("Content-Length", "1000")]
    with ExitStack() as stack:
        sockets = [
            stack.enter_context(asking(impatient_server, "POST /api/events", headers, b"["))
            for _ in range(SILENT)
        ]
        assert {each.recv(12) for each in sockets} == {b"HTTP/1.1 401"}
        assert answers_health(impatient_server)


def test_the_api_itself_keeps_prefect_s_limit():
    """It is moved, not lost: SQLite is why Prefect has it."""
    api = FastAPI()
    app = FastAPI()
    app.add_middleware(RequestLimitMiddleware, limit=100)
    api.add_middleware(GZipMiddleware)
    limit_api_requests(app, api)
    limit_api_requests(app, api)
    assert app.user_middleware == []
    assert [each.cls for each in api.user_middleware] == [GZipMiddleware, ApiRequestLimit]
    assert api.user_middleware[-1].kwargs == {"limit": 100}
