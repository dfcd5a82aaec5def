"""Host names with ports, as URLs and Host headers have them, and which addresses are this host's own.

Reads the resolver where a host name is asked about; writes nothing.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from typing import NamedTuple

from analytics_worker.errors import PermanentError

LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104  # compared with, never bound
DEFAULT_PORTS = frozenset({80, 443})
HIGHEST_PORT = 65535
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
    """The name with the port; 80 and 443 are left out, as browsers leave them out."""
    return Authority(name.lower(), None if port in DEFAULT_PORTS else port)


def parse_authority(text: str) -> Authority | None:
    """``host``, ``host:port`` or ``[IPv6]:port``; None for anything else, such as ``user@host``."""
    found = _AUTHORITY.fullmatch(text)
    if found is None:
        return None
    name, port = found["name"] or _compressed(found["v6"]), int(found["port"] or 80)
    return authority(name, port) if name and 0 < port <= HIGHEST_PORT else None


def parse_allowed_hosts(entries: Iterable[str], port: int) -> frozenset[Authority]:
    """Entries of SERVER_ALLOWED_HOSTS; one without a port stands for 80, 443 and the server's port.

    Raises:
        PermanentError: an entry is not a host.
    """
    return frozenset(found for entry in entries if entry for found in _allowed(entry, port))


def _allowed(entry: str, port: int) -> Iterable[Authority]:
    found = parse_authority(entry)
    if found is None:
        raise PermanentError(
            f"SERVER_ALLOWED_HOSTS has {entry[:80]!a}, which is not a valid host; expected host or"
            " host:port, such as analytics.example.com or 10.0.0.5:4200, separated by commas."
        )
    has_port = entry.rpartition(":")[2].isdecimal() and not entry.endswith("]")
    return [found] if has_port else [found, authority(found.name, port)]


def loopback_names(port: int) -> frozenset[Authority]:
    """What a server on this port is called by programs of its own host."""
    return frozenset(authority(name, port) for name in LOOPBACK)


def is_loopback(host: str) -> bool:
    """Whether a server that listens on ``host`` is reached from its own host only.

    Raises:
        PermanentError: the name has no address.
    """
    if host in WILDCARDS or not host:
        return False
    try:
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        raise PermanentError(
            f"PREFECT_SERVER_API_HOST is {host[:80]!a}, which is not an address of this host;"
            " expected an address such as 127.0.0.1 or 0.0.0.0."
        ) from None
    return all(ipaddress.ip_address(each.partition("%")[0]).is_loopback for each in found)


def client_host(host: str) -> str:
    """Where clients on the same host reach a server that listens on ``host``."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)  # noqa: S104


def _compressed(address: str) -> str | None:
    try:
        return ipaddress.IPv6Address(address).compressed
    except ValueError:
        return None
