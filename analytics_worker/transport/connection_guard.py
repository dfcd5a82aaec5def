"""Restrict libraries that open their own connections to the addresses that `address_filter` permits.

apprise, smtplib and fsspec resolve names, connect and follow redirects without a call to our code.
Within `restrict_connections`, a Python audit hook checks every connection of the current context, with
the address that is passed to the kernel, and refuses it if it is not permitted. It also refuses to start
programs. Reads the DNS for the names of the allow-list; writes nothing. Connections outside of
`restrict_connections`, or in threads that a library starts itself, are not checked.
"""

import ipaddress
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from analytics_worker.transport.address_filter import (
    AllowList,
    ForbiddenAddressError,
    resolve_addresses,
)

_CONNECTIONS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"})
_WATCHED = _CONNECTIONS | _PROGRAMS


class RefusedByGuardError(PermissionError):
    """A library tried something forbidden; an OSError, so that it cleans up as after any failure."""


class ConnectionGuard:
    """The permitted addresses of one context, and whether another one was tried."""

    def __init__(self, allowed: AllowList) -> None:
        self._allowed = allowed
        self._refused = False

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Check an audit event.

        Raises:
            RefusedByGuardError: it starts a program, or connects to an address that is not permitted.
        """
        if event in _CONNECTIONS and self._permits(arguments[1]):
            return
        self._refused = True
        raise RefusedByGuardError(f"{event} is not permitted here")

    def raise_if_refused(self) -> None:
        """Raise the reason of a failure that a library has reported differently, or not at all.

        Raises:
            ForbiddenAddressError: something was refused. The message contains no address: the user who
                chose a name must not learn its address.
        """
        if self._refused:
            raise ForbiddenAddressError(
                "its address is inside the network. To allow it, add its host to"
                " OUTBOUND_ALLOWED_HOSTS."
            )

    def _permits(self, target: object) -> bool:
        match target:
            case None:  # a datagram on a connected socket
                return True
            case (str() as host, int(), *_):
                return self._permits_host(host)
            case _:  # Unix sockets and everything else on this machine
                return False

    def _permits_host(self, host: str) -> bool:
        """Whether an address is permitted; a name is not, because the C library would resolve it."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return self._allowed.admits("", address) or any(
            str(address) in resolve_addresses(name) for name in self._allowed.names
        )


_current: ContextVar[ConnectionGuard | None] = ContextVar("connection_guard", default=None)


@contextmanager
def restrict_connections(allowed: AllowList) -> Generator[ConnectionGuard]:
    """Refuse connections to addresses that are not permitted, and the start of programs.

    Raises:
        ForbiddenAddressError: the code inside failed after something was refused.
    """
    _install()
    guard = ConnectionGuard(allowed)
    token = _current.set(guard)
    try:
        yield guard
    except Exception:
        guard.raise_if_refused()
        raise
    finally:
        _current.reset(token)


@lru_cache(maxsize=1)
def _install() -> None:
    """Add the hook once per process, because an audit hook can't be removed."""
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _WATCHED and (guard := _current.get()) is not None:
        guard.check(event, arguments)
