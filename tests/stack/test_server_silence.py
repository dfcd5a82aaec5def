"""Websockets that never say anything stop nobody, and are closed."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http import HTTPStatus

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from analytics_worker.server.first_message import LIMIT
from tests.support.attacks import attack
from tests.support.guarded_server import LOGIN, start_server
from tests.support.processes import Server
from tests.support.raw_http import UPGRADE

SILENT = 140
PATHS = ("/api/events/in", "/api/events/out", "/api/logs/out")


@pytest.fixture(scope="module")
def impatient_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """It asks for a login, and waits two seconds for it instead of ten."""
    home = tmp_path_factory.mktemp("impatient") / "prefect"
    module = "tests.support.impatient_server"
    with start_server(home, module=module, PREFECT_SERVER_API_AUTH_STRING=LOGIN) as server:
        yield server


def silent(server: Server, path: str) -> socket.socket:
    """A websocket that has asked for its handshake, and says no more."""
    headers = [
        ("Host", f"127.0.0.1:{server.port}"),
        *UPGRADE,
        ("Sec-WebSocket-Protocol", "prefect"),
    ]
    head = "".join(f"{name}: {value}\r\n" for name, value in headers)
    opened = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    opened.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
    return opened


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
        assert httpx.get(f"{impatient_server.api_url}/health", timeout=30).is_success
        assert answers.count(HTTPStatus.SWITCHING_PROTOCOLS) == LIMIT
        assert answers.count(HTTPStatus.SERVICE_UNAVAILABLE) == SILENT - LIMIT
        waiting = [s for s, status in zip(sockets, answers, strict=True) if status == 101]
        assert all(b"no message within" in last_of(each) for each in waiting)
        with speaking(impatient_server) as late:
            for each in (client, late):  # whoever has spoken may be silent
                assert each.ping().wait(30)


def test_those_that_have_spoken_leave_room(impatient_server: Server):
    with ExitStack() as stack:
        clients = [stack.enter_context(speaking(impatient_server)) for _ in range(LIMIT + 5)]
        for _ in range(LIMIT + 5):  # and so do those that leave without a word
            with silent(impatient_server, PATHS[0]) as one:
                assert statuses([one]) == [101]
                one.shutdown(socket.SHUT_WR)
                one.recv(4096)
        assert all(each.ping().wait(30) for each in clients)
