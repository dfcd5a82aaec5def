"""httpcore's connections for webhooks: to permitted addresses only, and within a deadline.

Reads the DNS through the operating system; writes nothing but to the connection. `analytics_worker.transport.address_filter`
decides which addresses are permitted.
"""

import ipaddress
import threading
import time
from collections.abc import Iterable
from typing import Any

import httpcore
from typing_extensions import override

from analytics_worker.transport.address_filter import AllowList, ForbiddenAddressError, addresses_of

HTTP_PORTS = frozenset({80, 443})
FIRST_UNPRIVILEGED_PORT = 1024


def permitted_addresses(host: str, port: int, allowed: AllowList) -> list[str]:
    """The host's addresses that a webhook may connect to, in the system's order of preference.

    Raises:
        httpcore.ConnectError: the name is unknown.
        ForbiddenAddressError: it has no other addresses than those inside the network, or the port is
            one of another service.
    """
    addresses = addresses_of(host, port)
    if not addresses:
        raise httpcore.ConnectError(f"{host} has no address")
    permitted = [a for a in addresses if allowed.admits(host, ipaddress.ip_address(a))]
    if not permitted:
        raise ForbiddenAddressError(
            f"{host} is inside the network. To allow it, add it to OUTBOUND_ALLOWED_HOSTS."
        )
    listed = all(allowed.lists(host, ipaddress.ip_address(a)) for a in permitted)
    if port < FIRST_UNPRIVILEGED_PORT and port not in HTTP_PORTS and not listed:
        raise ForbiddenAddressError(
            f"Port {port} of {host} is not a port of web servers; expected 80, 443 or one from"
            f" {FIRST_UNPRIVILEGED_PORT} on. To allow it, add the host to OUTBOUND_ALLOWED_HOSTS."
        )
    return permitted


class Deadline(threading.local):
    """When the current thread's request must be over; each wait gets what is left at most."""

    at: float = float("inf")

    def start(self, seconds: float) -> None:
        """A request begins."""
        self.at = time.monotonic() + seconds

    def left(self, timeout: float | None) -> float:
        """Return the seconds for the next wait.

        Raises:
            httpcore.ReadTimeout: the deadline has passed, even if the peer still sends.
        """
        remaining = self.at - time.monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
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
