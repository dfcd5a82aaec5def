"""Parse host names with ports, as in URLs and Host headers, and recognize loopback addresses.

Reads the DNS resolver in `is_loopback`; writes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import NamedTuple

from analytics_worker.errors import PermanentError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104  # only compared, never bound
DEFAULT_PORTS = frozenset({80, 443})
HIGHEST_PORT = 65535
PROBE_HOST = "analytics-worker-doctor.invalid"
"""The foreign name with which `doctor` looks whether a server refuses one; no page can have a name below .invalid."""
_AUTHORITY = re.compile(
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]|(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,252}))(?::(?P<port>[0-9]{1,5}))?"
)


class Authority(NamedTuple):
    """A host name or address in lower case, and a port; None is the port of http or https."""

    name: str
    port: int | None = None

    def __str__(self) -> str:
        host = f"[{self.name}]" if ":" in self.name else self.name
        return host if self.port is None else f"{host}:{self.port}"


def authority(name: str, port: int) -> Authority:
    """Return an authority; ports 80 and 443 are omitted, as browsers omit them."""
    return Authority(name.lower(), None if port in DEFAULT_PORTS else port)


def parse_authority(text: str) -> Authority | None:
    """Parse ``host``, ``host:port`` or ``[IPv6]:port``; None for other texts, such as ``user@host``."""
    match = _AUTHORITY.fullmatch(text)
    if match is None:
        return None
    name, port = match["name"] or _compressed(match["v6"]), int(match["port"] or 80)
    return authority(name, port) if name and 0 < port <= HIGHEST_PORT else None


def parse_allowed_hosts(entries: Iterable[str], port: int) -> frozenset[Authority]:
    """Parse SERVER_ALLOWED_HOSTS; an entry without a port stands for 80, 443 and the server's port.

    Raises:
        PermanentError: an entry is not a valid host.
    """
    return frozenset(host for entry in entries if entry for host in _allowed(entry, port))


def _allowed(entry: str, port: int) -> Iterable[Authority]:
    host = parse_authority(entry)
    if host is None:
        raise PermanentError(
            f"SERVER_ALLOWED_HOSTS has {entry[:80]!a}, which is not a valid host; expected host or"
            " host:port, such as analytics.example.com or 10.0.0.5:4200, separated by commas."
        )
    has_port = entry.rpartition(":")[2].isdecimal() and not entry.endswith("]")
    return [host] if has_port else [host, authority(host.name, port)]


def loopback_names(port: int) -> frozenset[Authority]:
    """Return the names by which programs on the same host address a server on this port."""
    return frozenset(authority(name, port) for name in LOOPBACK)


def is_loopback(host: str) -> bool:
    """Whether a server that listens on ``host`` can be reached from its own host only.

    Raises:
        PermanentError: the name has no address.
    """
    if host in WILDCARDS or not host:
        return False
    try:
        addresses = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        raise PermanentError(
            f"PREFECT_SERVER_API_HOST is {host[:80]!a}, which is not an address of this host;"
            " expected an address such as 127.0.0.1 or 0.0.0.0."
        ) from None
    return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in addresses)


def client_host(host: str) -> str:
    """Return the address at which clients on the same host reach a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104


def _compressed(address: str) -> str | None:
    try:
        return ipaddress.IPv6Address(address).compressed
    except ValueError:
        return None
