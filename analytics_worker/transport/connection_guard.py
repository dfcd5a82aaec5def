"""Hold libraries that connect by themselves to the addresses that `analytics_worker.transport.address_filter` permits.

apprise, smtplib and fsspec resolve names, connect and follow redirects where no call of ours stands
between. Within ``only_permitted`` a Python audit hook sees every connection of the current context, at
the address that the kernel is about to be given, and refuses it if it is not permitted; the start of
a program is refused, too. Reads the DNS for the names of the allow-list; writes nothing. Nothing is
watched outside of ``only_permitted``, or in threads that a library starts for itself.
"""

import ipaddress
import sys
from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from analytics_worker.transport.address_filter import AllowList, ForbiddenAddressError, addresses_of

_CONNECTIONS = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_PROGRAMS = frozenset({"subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"})
_WATCHED = _CONNECTIONS | _PROGRAMS


class RefusedByGuardError(PermissionError):
    """A library tried what it may not; an OSError, so that it cleans up as after any failure."""


class ConnectionGuard:
    """What is permitted in one context, and whether something else was tried."""

    def __init__(self, allowed: AllowList) -> None:
        """Permit public addresses, and those of the list."""
        self._allowed = allowed
        self._refused = False

    def check(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Let an audit event pass.

        Raises:
            RefusedByGuardError: it is a program, or a connection to an address that is not permitted.
        """
        if event in _CONNECTIONS and self._permits(arguments[1]):
            return
        self._refused = True
        raise RefusedByGuardError(f"{event} is not permitted here")

    def raise_if_refused(self) -> None:
        """Tell the reason of a failure that a library has reported in its own words, or not at all.

        Raises:
            ForbiddenAddressError: something was refused. The message names no address: whoever chose
                a name must not learn what it leads to.
        """
        if self._refused:
            raise ForbiddenAddressError(
                "its address is inside the network. To allow it, add its host to"
                " OUTBOUND_ALLOWED_HOSTS."
            )

    def _permits(self, target: object) -> bool:
        match target:
            case None:  # a datagram on a socket that was connected before
                return True
            case (str() as host, int(), *_):
                return self._permits_host(host)
            case _:  # Unix sockets and whatever else is of this machine
                return False

    def _permits_host(self, host: str) -> bool:
        """Judge an address; a name is refused, because the kernel's library would look it up."""
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        return self._allowed.admits("", address) or any(
            str(address) in addresses_of(name) for name in self._allowed.names
        )


_current: ContextVar[ConnectionGuard | None] = ContextVar("connection_guard", default=None)


@contextmanager
def only_permitted(allowed: AllowList) -> Generator[ConnectionGuard]:
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
    """Add the hook, once a process: an audit hook can't be taken away again."""
    sys.addaudithook(_audit)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _WATCHED and (guard := _current.get()) is not None:
        guard.check(event, arguments)
