"""Parse the URL of a webhook, so that only its harmless part is ever shown.

Reads nothing, writes nothing.
"""

import base64
import re
from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from analytics_worker.errors import PermanentError


class Target(NamedTuple):
    """A parsed URL; only ``str(target)`` may be shown."""

    scheme: str
    host: str
    port: int
    path: str
    authorization: str | None

    def __str__(self) -> str:
        """Return scheme and host, for messages."""
        return f"{self.scheme}://{self.host}"

    def __repr__(self) -> str:
        """Return the same, because path and query may hold a token."""
        return f"Target({self})"


def parse_url(url: str) -> Target:
    """Parse an http(s) URL.

    Raises:
        PermanentError: it is not a valid http(s) URL; the message never repeats it.
    """
    try:
        parts = urlsplit(url)
        host, port = _ascii_host(parts.hostname or ""), parts.port
    except ValueError:
        raise PermanentError(
            "the webhook's address is not a valid URL; expected https://host/path"
        ) from None
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\\\x00-\x1f]", url):
        raise PermanentError(
            "the webhook's address is not a valid URL; expected http:// or https:// with a host"
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    default = 443 if parts.scheme == "https" else 80
    return Target(parts.scheme, host, port or default, _ascii_path(path), _basic(parts))


def _ascii_host(host: str) -> str:
    return host if host.isascii() else idna.encode(host, uts46=True).decode()


def _ascii_path(path: str) -> str:
    return "".join(c if c.isascii() else "".join(f"%{b:02X}" for b in c.encode()) for c in path)


def _basic(parts: SplitResult) -> str | None:
    if parts.username is None:
        return None
    login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(login.encode()).decode()}"
