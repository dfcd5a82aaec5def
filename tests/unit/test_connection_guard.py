"""Libraries with their own connections reach no address inside the network, in any way."""

import asyncio
import ipaddress
import smtplib
import socket
import subprocess
import sys
from collections.abc import Callable

import fsspec.asyn
import pytest
import requests

from analytics_worker.transport.address_filter import (
    AllowList,
    ForbiddenAddressError,
    parse_allow_list,
)
from analytics_worker.transport.connection_guard import restrict_connections
from tests.support.attacks import attack
from tests.support.http_sink import HttpSink

NOTHING = AllowList()


def by_requests(port: int) -> None:
    requests.post(f"http://localhost:{port}/", timeout=10)


def by_create_connection(port: int) -> None:
    socket.create_connection(("127.0.0.1", port), 10).close()


def by_name(port: int) -> None:
    with socket.socket() as client:
        client.connect(("localhost", port))


def by_error_code(port: int) -> None:
    with socket.socket() as client:
        if client.connect_ex(("127.0.0.1", port)):
            raise OSError


def by_datagram(port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("127.0.0.1", port))


def by_mapped_address(port: int) -> None:
    with socket.socket(socket.AF_INET6) as client:
        client.connect(("::ffff:127.0.0.1", port))


def by_unix_socket(_port: int) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("/run/nothing.sock")


def by_mail(port: int) -> None:
    smtplib.SMTP("127.0.0.1", port, timeout=10).close()


def by_event_loop(port: int) -> None:
    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    asyncio.run(connect())


def by_fsspec_thread(port: int) -> None:
    """Connect as s3fs does, on the event loop of a thread that was started before."""

    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    fsspec.asyn.sync(fsspec.asyn.get_loop(), connect)


WAYS = [by_requests, by_create_connection, by_name, by_error_code, by_datagram, by_mapped_address, by_unix_socket, by_mail, by_event_loop, by_fsspec_thread]  # fmt: skip


@attack(
    by="API caller",
    what="A library that resolves and connects on its own: sockets, HTTP, SMTP, datagrams, event loops",
    answer="Refused as the kernel is about to connect; nothing arrives",
)
@pytest.mark.parametrize("way", WAYS)
def test_no_way_of_connecting_is_left_out(way: Callable[[int], None], http_sink: HttpSink):
    with pytest.raises(ForbiddenAddressError, match="OUTBOUND_ALLOWED_HOSTS") as refused:  # noqa: SIM117
        with restrict_connections(NOTHING):
            way(http_sink.port)
    assert http_sink.connections == 0
    assert "127.0.0.1" not in str(refused.value), (
        "the error must not show which address a name leads to"
    )


@pytest.mark.parametrize("entry", ["127.0.0.0/8", "localhost"])
def test_listed_hosts_are_reached(entry, http_sink):
    with restrict_connections(parse_allow_list([entry])):
        by_create_connection(http_sink.port)
        by_fsspec_thread(http_sink.port)
        assert requests.post(f"http://127.0.0.1:{http_sink.port}/", timeout=10).status_code == 204


def test_outside_of_the_guard_nothing_is_checked(http_sink):
    with restrict_connections(NOTHING):
        pass
    by_create_connection(http_sink.port)
    by_fsspec_thread(http_sink.port)


@attack(
    by="API caller",
    what="A redirect from a permitted host to one inside the network",
    answer="The second connection is refused",
)
def test_a_redirect_is_checked_again(http_sink):
    http_sink.answer(307, Location="http://127.0.0.2:9/latest/meta-data")
    with (
        pytest.raises(ForbiddenAddressError),
        restrict_connections(parse_allow_list(["127.0.0.1"])),
    ):
        requests.post(f"http://127.0.0.1:{http_sink.port}/", timeout=10)
    assert len(http_sink.requests) == 1


@attack(
    by="API caller",
    what="A library that starts a program, such as credential_process or a notifier",
    answer="Refused",
)
def test_no_program_is_started():
    with pytest.raises(ForbiddenAddressError), restrict_connections(NOTHING):
        subprocess.run([sys.executable, "-c", ""], check=True)


def test_a_refusal_that_a_library_hides_is_raised(http_sink):
    with restrict_connections(NOTHING) as guard:
        with pytest.raises(PermissionError):
            by_create_connection(http_sink.port)
        with pytest.raises(ForbiddenAddressError):
            guard.raise_if_refused()


def test_public_addresses_are_permitted_and_a_scoped_one_is_not():
    """The check sends no packet: nothing is connected to."""
    with restrict_connections(NOTHING) as guard:
        guard.check("socket.connect", (None, ("8.8.8.8", 443)))
        guard.check("socket.connect", (None, ("2606:4700:4700::1111", 443, 0, 0)))
        for host in ("fe80::1%lo", "169.254.169.254", "::ffff:169.254.169.254", "", "<broadcast>"):
            with pytest.raises(PermissionError):
                guard.check("socket.connect", (None, (host, 443)))
    assert ipaddress.ip_address("fe80::1%lo").version == 6
