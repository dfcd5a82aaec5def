"""Restrict the Host of requests for metrics: a web page must not read them by DNS rebinding.

Reads nothing, writes nothing. A page whose own name has come to mean this host sends that name as Host.
It can't send an address, because then it would be another site.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_address(name) and ipaddress.ip_address(name).is_loopback)


class RequestHosts:
    """The names that a request may give; addresses always."""

    def __init__(self, listens_on: str, names: Iterable[str] = ()) -> None:
        """Permit ``names``; if there are none, every name unless only this host can connect."""
        own = {name.lower() for name in names if name}
        self._any = not own and not _is_loopback(listens_on)
        self._names = own | {"localhost", listens_on.lower()}

    def permits(self, hosts: Sequence[str]) -> bool:
        """Whether a request with these Host headers is meant for us; HTTP/1.0 has none."""
        if self._any or not hosts:
            return True
        if len(hosts) > 1:
            return False
        try:
            name = (urlsplit(f"//{hosts[0]}").hostname or "").rstrip(".")
        except ValueError:
            return False
        return _is_address(name) or name in self._names
