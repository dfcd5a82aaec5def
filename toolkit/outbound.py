"""Which addresses a webhook may reach, decided on the address that is really connected to.

Reads the DNS through the operating system; writes nothing. Whoever may name a webhook's URL must not
reach the cloud's metadata service, the database or the Prefect server with it. The check happens while
connecting, so a name that changes its address between check and use gains nothing.
"""

import ipaddress
import re
import socket
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpcore
from typing_extensions import override

from toolkit.errors import PermanentError

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MAPPED = ipaddress.ip_network("::ffff:0:0/96")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

# IANA's special-purpose registries, all that is not for the internet at large; `is_global` differs
# between Python versions. 168.63.129.16 is the host of every Azure machine.
INSIDE = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",
        "2001:db8::/32",
        "2002::/16",
        "3fff::/20",
    )
)

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


class ForbiddenAddressError(PermanentError):
    """The target is inside the network and nobody allowed it."""


@dataclass(frozen=True)
class AllowList:
    """Hosts and address ranges that may be reached although they are inside the network."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    def admits(self, host: str, address: IPAddress) -> bool:
        """Whether a connection for ``host`` may go to this address."""
        listed = any(address in n for n in self.networks if n.version == address.version)
        return host.lower() in self.names or listed or is_public(address)


def allow_list(entries: Iterable[str]) -> AllowList:
    """The allow-list that ``WEBHOOK_ALLOWED_HOSTS`` spells.

    Raises:
        PermanentError: an entry is neither a host name nor an address range.
    """
    names: set[str] = set()
    networks: list[IPNetwork] = []
    for entry in filter(None, entries):
        try:
            networks.append(ipaddress.ip_network(entry.strip("[]")))
        except ValueError as error:
            if "/" in entry or not _HOST_NAME.fullmatch(entry.lower()):
                raise PermanentError(
                    f"WEBHOOK_ALLOWED_HOSTS: {entry!r} is neither a host name nor an address range"
                    f" such as 10.1.0.0/16 ({error})"
                ) from None
            names.add(entry.lower())
    return AllowList(frozenset(names), tuple(networks))


def is_public(address: IPAddress) -> bool:
    """Whether the address belongs to the internet at large."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in MAPPED or address in NAT64:  # the packets end up at the IPv4 address in it
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST:
            return False
    return not any(address in network for network in INSIDE)


def permitted_addresses(host: str, port: int, allowed: AllowList) -> list[str]:
    """The host's addresses that may be connected to, in the system's order of preference.

    Raises:
        httpcore.ConnectError: the name is unknown.
        ForbiddenAddressError: it has no other addresses than those inside the network.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise httpcore.ConnectError(f"{host} has no address") from None
    addresses = dict.fromkeys(str(entry[4][0]) for entry in found)
    permitted = [a for a in addresses if allowed.admits(host, ipaddress.ip_address(a))]
    if not permitted:
        raise ForbiddenAddressError(
            f"{host} is inside the network. To allow it, add it to WEBHOOK_ALLOWED_HOSTS."
        )
    return permitted


class Deadline(threading.local):
    """When the current thread's request must be over; each wait gets what is left at most."""

    at: float = float("inf")

    def start(self, seconds: float) -> None:
        """A request begins."""
        self.at = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """The time for the next wait; never zero, which would mean not to wait at all."""
        remaining = max(self.at - time.monotonic(), 0.001)
        return remaining if timeout is None else min(timeout, remaining)


class CheckedBackend(httpcore.NetworkBackend):
    """httpcore's connections, to permitted addresses only and within the thread's deadline.

    TLS still verifies the host's name: only the TCP connection is made by address.
    """

    def __init__(self, allowed: AllowList, deadline: Deadline) -> None:
        """Open nothing yet."""
        self._allowed = allowed
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first permitted address that answers."""
        refused: Exception | None = None
        for address in permitted_addresses(host, port, self._allowed):
            try:
                left = self._deadline.left(timeout)
                stream = self._plain.connect_tcp(address, port, left, None, socket_options)
                return DeadlineStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                refused = error
        raise refused or httpcore.ConnectError("no address")


class DeadlineStream(httpcore.NetworkStream):
    """A connection on which no wait passes the deadline: one byte now and then wins no time."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: Deadline) -> None:
        """Take over an open connection."""
        self._stream = stream
        self._deadline = deadline

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.left(timeout))

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.left(timeout))

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout)
        secured = self._stream.start_tls(ssl_context, server_hostname, left)
        return DeadlineStream(secured, self._deadline)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
