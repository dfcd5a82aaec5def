"""Decide to which addresses outbound connections may go.

Reads the DNS through the operating system and this host's own addresses; writes nothing. The user who
defines the target of a webhook, a mail server or a bucket must not reach the cloud's metadata service,
the database or the Prefect server through it. The address is checked while connecting, so a name that
changes its address between check and use is no way around it. `http_backend` uses the filter for
webhooks, `connection_guard` for SMTP and for libraries that open their own connections.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

from analytics_worker.errors import ConfigurationError, PermanentError
from analytics_worker.settings import settings

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

MAPPED = ipaddress.ip_network("::ffff:0:0/96")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")

# IANA's special-purpose registries as a whole, including entries that are globally reachable: no webhook
# is on a relay or in AS112. `is_global` differs between Python versions.
SPECIAL_PURPOSE_NETWORKS = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # not from IANA: the host of every Azure machine
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",  # AS112
        "192.52.193.0/24",  # multicast tunnels (AMT)
        "192.88.99.0/24",  # relays of 6to4
        "192.168.0.0/16",
        "192.175.48.0/24",  # AS112
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "2001::/23",  # with Teredo, ORCHID, AMT, AS112
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",  # AS112
        "3fff::/20",
        # Outside 2000::/3, and so refused anyway; listed because the registry lists them.
        "::/96",
        "64:ff9b:1::/48",
        "100::/64",
        "100:0:0:1::/64",
        "5f00::/16",
        "fc00::/7",
        "fe80::/10",
        "ff00::/8",
    )
)

_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]{0,251}[a-z0-9_])?")


class ForbiddenAddressError(ConfigurationError):
    """The target is inside the network, or a port of another service, and is not allowed."""


@dataclass(frozen=True)
class AllowList:
    """Hosts and address ranges that may be reached although they are inside the network."""

    names: frozenset[str] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    def lists(self, host: str, address: IPAddress) -> bool:
        """Whether the operator listed this host, or a range with this address."""
        listed = any(address in n for n in self.networks if n.version == address.version)
        return listed or host.lower().rstrip(".") in self.names

    def admits(self, host: str, address: IPAddress) -> bool:
        """Whether a connection for ``host`` may go to this address."""
        return self.lists(host, address) or (is_public(address) and not is_own(address))


def parse_allow_list(entries: Iterable[str]) -> AllowList:
    """Parse the entries of ``OUTBOUND_ALLOWED_HOSTS``.

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
                    f"OUTBOUND_ALLOWED_HOSTS: {entry!r} is not a valid entry; expected a host name or"
                    f" an address range such as 10.1.0.0/16 ({error})"
                ) from None
            names.add(entry.lower())
    return AllowList(frozenset(names), tuple(networks))


def configured_allow_list() -> AllowList:
    """Return the allow-list of the settings.

    Raises:
        PermanentError: an entry is neither a host name nor an address range.
    """
    return parse_allow_list(settings().outbound_allowed_hosts)


def check_host(host: str, port: int, allowed: AllowList) -> None:
    """Check that a host may be connected to; only its name is looked up, and it may be unknown.

    Raises:
        ForbiddenAddressError: all its addresses are inside the network.
    """
    addresses = resolve_addresses(host, port)
    if addresses and not any(allowed.admits(host, ipaddress.ip_address(a)) for a in addresses):
        raise inside_error(host)


def inside_error(host: str) -> ForbiddenAddressError:
    """Return the error for a host whose addresses are inside the network, with the fix."""
    return ForbiddenAddressError(
        f"{host} is inside the network. To allow it, add it to OUTBOUND_ALLOWED_HOSTS."
    )


def is_public(address: IPAddress) -> bool:
    """Whether the address belongs to the public internet."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in MAPPED or address in NAT64:  # packets go to the IPv4 address in it
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST:
            return False
    return not any(address in network for network in SPECIAL_PURPOSE_NETWORKS)


def is_own(address: IPAddress) -> bool:
    """Whether the address is one of this host, whose services listen on its public address, too."""
    if address in MAPPED or address in NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    interfaces = psutil.net_if_addrs().values()
    return str(address) in {entry.address for entries in interfaces for entry in entries}


def resolve_addresses(host: str, port: int | None = None) -> list[str]:
    """Return a host's addresses, in the system's order of preference; empty if the name is unknown."""
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))
