"""Load an Apprise service within the rules for outward connections.

Apprise resolves names, connects and follows redirects by itself. So it is loaded and used within
`analytics_worker.transport.connection_guard`, which refuses addresses inside the network whatever leads
there; services, and parameters that name something to open, are held to `apprise_services`; and a
service whose host the address names is used only if that host is listed in OUTBOUND_ALLOWED_HOSTS.
Proxies of the environment were chosen by the operator, and may be connected to. Reads settings and
proxies; writes nothing.
"""

import ipaddress
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies

from pydantic import SecretStr

from analytics_worker.delivery.channels.apprise_services import (
    HOSTED,
    LOCAL,
    MAIL,
    OPEN_TEMPLATE,
    OPENED,
    VENDOR,
    WEBHOOKS,
)
from analytics_worker.errors import PermanentError
from analytics_worker.transport.address_filter import (
    AllowList,
    ForbiddenAddressError,
    configured_allow_list,
)
from analytics_worker.transport.connection_guard import restrict_connections

VENDOR_MODES = frozenset({"cloud", "official", "t2bot"})  # of services that exist at a vendor, too


def load_plugin(url: SecretStr, asset: Any = None) -> Any:
    """Return Apprise's object for an address.

    Raises:
        PermanentError: the address is not valid, or its service may not be used.
    """
    from apprise import Apprise  # noqa: PLC0415  # 0.2 s that only its users wait for

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    _open_nothing()
    text = url.get_secret_value()
    with restrict_connections(configured_allow_list()):
        plugin: Any = Apprise.instantiate(text, asset=asset)
    written = {text.partition("://")[0].strip().lower()}
    names = schemas(plugin) if plugin else written & (WEBHOOKS | MAIL | LOCAL | OPEN_TEMPLATE)
    for schema in names:
        _check_service(schema)
    _check_parameters(text, names)
    if plugin is None:
        raise PermanentError("Apprise can't use the address of this channel")
    return plugin


@contextmanager
def connections_of(plugin: Any) -> Generator[None]:
    """Let Apprise connect only where it may.

    Raises:
        ForbiddenAddressError: it tried to connect elsewhere, or its host is not listed.
    """
    _check_host(plugin)
    with restrict_connections(_with_proxies(configured_allow_list())) as guard:
        yield
        guard.raise_if_refused()


def schemas(plugin: Any) -> set[str]:
    """Return the schemas of a service's addresses."""
    protocols = (plugin.protocol, plugin.secure_protocol)
    return {s for p in protocols if p for s in ([p] if isinstance(p, str) else p)}


def _open_nothing() -> None:
    """Let apprise open no attachment: neither a file nor an address, whichever parameter names it."""
    from apprise.attachment.file import AttachFile  # noqa: PLC0415  # with apprise, not before it
    from apprise.attachment.http import AttachHTTP  # noqa: PLC0415
    from apprise.common import ContentLocation  # noqa: PLC0415

    AttachFile.location = AttachHTTP.location = ContentLocation.INACCESSIBLE


def _check_service(schema: str) -> None:
    """Let only services through that were read.

    Raises:
        PermanentError: this one is not among them; the message says what to use.
    """
    if schema in VENDOR | HOSTED:
        return
    if schema in WEBHOOKS:
        raise PermanentError("apprise's json, xml and form are webhooks: use a Webhook Channel")
    if schema in MAIL:
        raise PermanentError("apprise's mailto is not a valid channel: use an Email Channel")
    if schema in LOCAL:
        raise PermanentError(
            f"apprise's {schema} acts on the worker's machine: not a valid channel"
        )
    raise PermanentError(f"apprise's {schema} is not one of the services that channels may use")


def _check_parameters(url: str, schemas: set[str]) -> None:
    """Refuse parameters that name something to open.

    Raises:
        PermanentError: the address has one.
    """
    # Where the query begins depends on the service (# is part of a Slack channel), so anywhere counts.
    given = {unquote(name).strip(" +-:").lower() for name in re.findall(r"[?&;]([^=&;?]*)", url)}
    opened = OPENED | {"template"} if schemas & OPEN_TEMPLATE else OPENED
    if refused := sorted(given & opened):
        raise PermanentError(
            f"{refused[0]}= in the address of an Apprise Channel names a file or an address to"
            " open, which is not permitted; leave it out"
        )


def _check_host(plugin: Any) -> None:
    """Let only hosts through that the operator has listed, where the address chooses the host.

    Raises:
        ForbiddenAddressError: it is not listed.
    """
    host = str(plugin.host or "").strip("[]").lower()
    if not host or not _chooses_host(plugin):
        return
    if not _lists(configured_allow_list(), host):
        raise ForbiddenAddressError(
            f"{plugin.service_name} at {host}: apprise connects by itself, so only hosts in"
            " OUTBOUND_ALLOWED_HOSTS are let through. Add it there."
        )


def _chooses_host(plugin: Any) -> bool:
    """Whether the address says where to connect to, rather than the vendor's code."""
    at_vendor = getattr(plugin, "mode", None) in VENDOR_MODES
    return not at_vendor and not HOSTED.isdisjoint(schemas(plugin))


def _with_proxies(allowed: AllowList) -> AllowList:
    """The list and the proxies of the environment."""
    proxies = {
        urlsplit(url if "//" in url else f"//{url}").hostname for url in getproxies().values()
    }
    return replace(allowed, names=allowed.names | {host for host in proxies if host})


def _lists(allowed: AllowList, host: str) -> bool:
    if host in allowed.names:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in n for n in allowed.networks if n.version == address.version)
