"""Open httpcore's connections to permitted addresses only, and within a deadline.

Reads the DNS through the operating system; writes nothing but to the connection.
`analytics_worker.transport.address_filter` decides which addresses are permitted.
"""

import ipaddress
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import httpcore
from typing_extensions import override

from analytics_worker.transport.address_filter import (
    AllowList,
    ForbiddenAddressError,
    configured_allow_list,
    inside_error,
    resolve_addresses,
)
from analytics_worker.transport.webhook_url import Target

HTTP_PORTS = frozenset({80, 443})
FIRST_UNPRIVILEGED_PORT = 1024
IDLE_SECONDS = 15


def permitted_addresses(host: str, port: int, allowed: AllowList) -> list[str]:
    """Return the addresses of a host that may be connected to, in the system's order of preference.

    Raises:
        httpcore.ConnectError: the name is unknown.
        ForbiddenAddressError: all addresses are inside the network, or the port is one of another
            service.
    """
    addresses = resolve_addresses(host, port)
    if not addresses:
        raise httpcore.ConnectError(f"{host} has no address")
    permitted = [a for a in addresses if allowed.admits(host, ipaddress.ip_address(a))]
    if not permitted:
        raise inside_error(host)
    listed = all(allowed.lists(host, ipaddress.ip_address(a)) for a in permitted)
    if port < FIRST_UNPRIVILEGED_PORT and port not in HTTP_PORTS and not listed:
        raise ForbiddenAddressError(
            f"Port {port} of {host} is not a port of web servers; expected 80, 443 or one from"
            f" {FIRST_UNPRIVILEGED_PORT} on. To allow it, add the host to OUTBOUND_ALLOWED_HOSTS."
        )
    return permitted


def check_target(target: Target) -> None:
    """Check that a URL may be connected to; only its name is looked up, and it may be unknown.

    Raises:
        ForbiddenAddressError: it may not.
        PermanentError: an entry of OUTBOUND_ALLOWED_HOSTS is not valid.
    """
    with suppress(httpcore.ConnectError):
        permitted_addresses(target.host, target.port, configured_allow_list())


class RequestDeadline(threading.local):
    """The deadline of the current thread's request, which limits each wait."""

    at: float = float("inf")

    def start(self, seconds: float) -> None:
        """Start the time of a request."""
        self.at = time.monotonic() + seconds

    def remaining(self, timeout: float | None) -> float:
        """Return the seconds for the next wait.

        Raises:
            httpcore.ReadTimeout: the deadline has passed, even if the peer still sends.
        """
        remaining = self.at - time.monotonic()
        if remaining <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return remaining if timeout is None else min(timeout, remaining)


class CheckedBackend(httpcore.NetworkBackend):
    """A network backend that connects to permitted addresses only, within the thread's deadline.

    TLS still verifies the host's name: only the TCP connection is made by address.
    """

    def __init__(self, allowed: AllowList, deadline: RequestDeadline) -> None:
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
                remaining = self._deadline.remaining(timeout)
                stream = self._plain.connect_tcp(address, port, remaining, None, socket_options)
                return DeadlineStream(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                refused = error
        raise refused or httpcore.ConnectError("no address")


class DeadlineStream(httpcore.NetworkStream):
    """A connection on which no wait exceeds the deadline, even if single bytes keep arriving."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: RequestDeadline) -> None:
        self._stream = stream
        self._deadline = deadline

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, self._deadline.remaining(timeout))

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, self._deadline.remaining(timeout))

    @override
    def close(self) -> None:
        self._stream.close()

    @override
    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        remaining = self._deadline.remaining(timeout)
        secured = self._stream.start_tls(ssl_context, server_hostname, remaining)
        return DeadlineStream(secured, self._deadline)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)
