"""The metrics endpoint under clients that want more than a scrape: connections, names, sizes, methods."""

import http.client
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psutil
import pytest

from analytics_worker.exporter import connections
from analytics_worker.exporter.app import local_collectors
from analytics_worker.exporter.http_server import Server
from analytics_worker.exporter.poller import Exposition, Poller
from analytics_worker.exporter.request_hosts import RequestHosts
from tests.support.attacks import attack
from tests.support.ports import free_port
from tests.support.wait_until import wait_until


@pytest.fixture
def server() -> Iterator[Server]:
    poller = Poller("host", local_collectors(), 60)
    poller.poll()
    served = Server("127.0.0.1", free_port(), Exposition([poller]), RequestHosts("127.0.0.1"))
    thread = threading.Thread(target=served.serve_forever, args=(0.05,))
    thread.start()
    yield served
    served.shutdown()
    served.server_close()
    thread.join()


def address(server: Server) -> tuple[str, int]:
    return "127.0.0.1", server.server_port


def scrape(server: Server, path: str = "/metrics", **headers: str) -> http.client.HTTPResponse:
    client = http.client.HTTPConnection(*address(server), timeout=30)
    with closing(client):
        client.request("GET", path, headers=headers)
        answer = client.getresponse()
        answer.read()
        return answer


def raw(server: Server, request: bytes) -> bytes:
    """Everything that is answered to these bytes, until the connection is closed."""
    with socket.create_connection(address(server), timeout=30) as client:
        client.sendall(request)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def threads() -> int:
    return sum("process_request_thread" in thread.name for thread in threading.enumerate())


@attack(
    by="network",
    what="200 connections to the exporter that send nothing or half a header",
    answer="32 at most are kept, in as many threads; scrapes are answered meanwhile",
)
def test_a_scrape_is_answered_beside_two_hundred_stuck_clients(server):
    process = psutil.Process(os.getpid())
    with ExitStack() as open_clients:
        for number in range(200):
            client = socket.create_connection(address(server))
            open_clients.enter_context(client)
            if number % 2:
                client.sendall(b"GET /metrics HTTP/1.1\r\nHost: loc")
        for _ in range(3):
            assert scrape(server).status == 200
        wait_until(lambda: threads() <= connections.MAX_CONNECTIONS, 30)
        ours = [c for c in process.net_connections("tcp") if c.status == "ESTABLISHED" and c.laddr and c.laddr.port == server.server_port]  # fmt: skip
        assert len(ours) <= connections.MAX_CONNECTIONS
    wait_until(lambda: threads() == 0, 30)


@attack(
    by="network",
    what="Headers that are sent a byte at a time",
    answer="The connection is closed after 10 seconds in all, however lively it is",
)
def test_a_slow_client_has_a_time_for_the_whole_request(server, monkeypatch):
    monkeypatch.setattr("analytics_worker.exporter.http_server.REQUEST_SECONDS", 0.3)
    monkeypatch.setattr(connections, "REQUEST_SECONDS", 0.3)
    with socket.create_connection(address(server)) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n")

        def is_closed() -> bool:
            try:
                client.sendall(b"X")
            except OSError:
                return True
            return False

        wait_until(is_closed, 30)
    wait_until(lambda: threads() == 0, 30)


def test_a_connection_is_kept_between_scrapes(server):
    client = http.client.HTTPConnection(*address(server), timeout=30)
    with closing(client):
        used = set()
        for _ in range(3):
            client.request("GET", "/metrics")
            assert client.getresponse().read()
            assert client.sock is not None
            used.add(client.sock.getsockname())
        assert len(used) == 1


@attack(
    by="network",
    what="A request line or header of megabytes, or a hundred headers of 60 kB",
    answer="Refused after 16 KiB",
)
@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 5_000 + b"\r\n",
    ],
    ids=["line", "header", "headers"],
)
def test_a_request_has_a_size(server, request_bytes):
    try:
        answer = raw(server, request_bytes)
    except OSError:  # closed before all of it was read
        return
    assert answer.split()[1] in {b"414", b"431"}


@attack(
    by="network",
    what="A request inside the body of another (smuggling), and methods that write",
    answer="400 and 501, and the connection is closed; nothing behind it is read",
)
@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\nContent-Length: 40\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
        (b"POST /metrics HTTP/1.1\r\nContent-Length: 40\r\n\r\n", b"501"),
        (b"OPTIONS /metrics HTTP/1.1\r\n\r\n", b"501"),
    ],
)
def test_only_requests_without_a_body_are_answered(server, head, status):
    answer = raw(server, head + b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert answer.split()[1] == status
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"seconds_since_last_poll" not in answer


@attack(
    by="web page",
    what="The exporter's metrics by DNS rebinding: the page's own name, which now means 127.0.0.1",
    answer="421; only localhost, addresses and PROMETHEUS_ALLOWED_HOSTS are answered",
)
@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example@127.0.0.1.x", "["])  # fmt: skip
def test_a_foreign_name_reads_no_metrics(server, host):
    assert scrape(server, Host=host).status == 421


@pytest.mark.parametrize("host", ["127.0.0.1:1", "localhost", "LOCALHOST:8000", "[::1]:8000", "10.1.2.3:8000"])  # fmt: skip
def test_own_names_and_addresses_are_answered(server, host):
    answer = scrape(server, Host=host)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] is None
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_names_may_be_configured():
    assert RequestHosts("0.0.0.0").permits(["metrics.example.com"])  # noqa: S104  # not bound
    named = RequestHosts("0.0.0.0", ["metrics.example.com"])  # noqa: S104
    assert named.permits(["Metrics.example.com:8000"])
    assert not named.permits(["evil.example"])
    assert not RequestHosts("127.0.0.1").permits(["localhost", "evil.example"])
    assert RequestHosts("127.0.0.1").permits([])


def test_head_has_no_body(server):
    answer = raw(server, b"HEAD /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200")
    assert body == b""
