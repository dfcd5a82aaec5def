"""Decide which requests the Prefect server refuses before Prefect handles them. Reads and writes nothing.

Prefect takes a body of any type and looks at neither Host nor Origin, so every web page that
a user of this host visits could write to it (docs/decisions/server-requests.md).
"""

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from analytics_worker.host_port import (
    PROBE_HOST,
    WILDCARDS,
    Authority,
    authority,
    loopback_names,
    parse_allowed_hosts,
    parse_authority,
)

READING = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})
API_PAGES = frozenset({"/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"})
"""FastAPI's pages about an API: they run scripts of a CDN where the UI keeps its login."""
SHOWN = 60
PROBE = "request of doctor"
"""The kind of the refusal that `doctor` expects, which is no fault."""
SHOWN_NAMES = 10
FIX = " If people, workers or a reverse proxy use that name, add {} to SERVER_ALLOWED_HOSTS."


@dataclass(frozen=True)
class Refusal:
    """Why a request is refused, and what to do about it; the text is printable ASCII."""

    kind: str
    status: HTTPStatus
    message: str


class Request:
    """One request of an ASGI scope, http or websocket, as far as the rules look at it."""

    def __init__(self, scope: Mapping[str, Any]) -> None:
        """Read the scope; nothing is received."""
        self.is_websocket: bool = scope["type"] == "websocket"
        self.method: str = scope.get("method", "GET")
        self.path: str = scope["path"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._server: tuple[str, int | None] | None = scope.get("server")

    def values(self, name: str) -> list[str]:
        """Return all values of a header."""
        wanted = name.encode()
        return [value.decode("latin-1") for key, value in self._headers if key.lower() == wanted]

    @property
    def host(self) -> Authority | None:
        """The value of the one Host header; None if it is missing, repeated or malformed."""
        values = self.values("host")
        return parse_authority(values[0]) if len(values) == 1 else None

    @property
    def local(self) -> Authority | None:
        """The address that the connection arrived at; no foreign name can be made to equal it."""
        host, port = self._server or ("", None)
        try:
            address = ipaddress.ip_address(host.partition("%")[0])
        except ValueError:  # a unix socket
            return None
        return authority(address.compressed, port) if port and host not in WILDCARDS else None

    @property
    def has_body(self) -> bool:
        """Whether one is announced."""
        announced = any(length.strip("0 ") for length in self.values("content-length"))
        return announced or bool(self.values("transfer-encoding"))


@dataclass(frozen=True)
class Rules:
    """The names of one server, and what follows from them."""

    own: frozenset[Authority]
    allowed: frozenset[Authority] = frozenset()
    api_path: str = "/api"

    @classmethod
    def of(cls, host: str, port: int, allowed: list[str], api_path: str | None = None) -> "Rules":
        """Rules of a server that listens there; ``allowed`` is SERVER_ALLOWED_HOSTS.

        Raises:
            PermanentError: an allowed host is not a valid one.
        """
        listening = frozenset() if host in WILDCARDS else {authority(host, port)}
        own = loopback_names(port) | listening
        return cls(own, parse_allowed_hosts(allowed, port), (api_path or "/api").rstrip("/"))

    def refusal(self, request: Request) -> Refusal | None:
        """The first rule that the request breaks; None if it may pass."""
        checks: tuple[Callable[[Request], Refusal | None], ...] = (
            self._host,
            self._origin,
            self._site,
            self._api_page,
            _content,
        )
        return next((found for check in checks if (found := check(request))), None)

    def _host(self, request: Request) -> Refusal | None:
        if request.host in {*self.own, *self.allowed, request.local} - {None}:
            return None
        text = f"Host {shown(request.values('host'))} is not a name of this server; expected {self._names()}."
        if request.host and request.host.name == PROBE_HOST:
            return Refusal(PROBE, HTTPStatus.MISDIRECTED_REQUEST, text)
        return Refusal("foreign Host", HTTPStatus.MISDIRECTED_REQUEST, text + _fix(request.host))

    def _names(self) -> str:
        """Return the names of this server, those of SERVER_ALLOWED_HOSTS last."""
        names = [*sorted(map(str, self.own)), *sorted(map(str, self.allowed - self.own))]
        more = ["…"] if len(names) > SHOWN_NAMES else []
        return ", ".join([*names[:SHOWN_NAMES], *more])

    def _origin(self, request: Request) -> Refusal | None:
        values = request.values("origin")
        if not values or (len(values) == 1 and self._is_ours(values[0], request.host)):
            return None
        text = f"Origin {shown(values)} is not this server's; web pages of others may not use it."
        found = parse_authority(values[0].partition("://")[2]) if len(values) == 1 else None
        return Refusal("foreign Origin", HTTPStatus.FORBIDDEN, text + _fix(found))

    def _is_ours(self, origin: str, host: Authority | None) -> bool:
        """The server's own pages have the Host as their origin, or an allowed name behind a proxy."""
        scheme, _, rest = origin.partition("://")
        found = parse_authority(rest)
        return scheme in {"http", "https"} and found is not None and found in {host, *self.allowed}

    def _site(self, request: Request) -> Refusal | None:
        """A link on another site may lead to the UI; nothing else may come from there."""
        values = request.values("sec-fetch-site")
        if OWN_SITES.issuperset(values) or self._is_navigation(request):
            return None
        text = f"Sec-Fetch-Site {shown(values)}: only this server's own pages may request this."
        return Refusal("foreign site", HTTPStatus.FORBIDDEN, text)

    def _api_page(self, request: Request) -> Refusal | None:
        """Neither the UI nor Prefect's client needs them."""
        if request.path.removeprefix(self.api_path) not in API_PAGES:
            return None
        text = "This server has no pages about its API; see https://docs.prefect.io/v3/api-ref."
        return Refusal("page about the API", HTTPStatus.NOT_FOUND, text)

    def _is_navigation(self, request: Request) -> bool:
        in_api = f"{request.path}/".startswith(f"{self.api_path}/")
        mode, dest = request.values("sec-fetch-mode"), request.values("sec-fetch-dest")
        whole_page = (mode, dest) == (["navigate"], ["document"])
        return request.method == "GET" and whole_page and not in_api and not request.is_websocket


def _content(request: Request) -> Refusal | None:
    """A page can send forms and plain text to other sites without asking, but no JSON."""
    if request.is_websocket or request.method in READING or not request.has_body:
        return None
    values = request.values("content-type")
    if [value.partition(";")[0].strip().lower() for value in values] == ["application/json"]:
        return None
    text = f"Content-Type {shown(values)} is not accepted; expected application/json."
    return Refusal("body that is not JSON", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, text)


def _fix(name: Authority | None) -> str:
    """Return how to allow a name, if it is a valid one: no other text of a caller's is repeated here."""
    return FIX.format(name) if name else ""


def shown(values: list[str]) -> str:
    """Header values for a message: quoted, in ASCII without control characters, and short."""
    text = " and ".join(ascii(value[:SHOWN]) for value in values[:3])
    return text or "(missing)"
