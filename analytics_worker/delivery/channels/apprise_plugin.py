"""Load an Apprise service within the rules for outward connections.

Apprise itself resolves names, connects and follows redirects. So it is loaded and used within
`analytics_worker.transport.connection_guard`, which refuses all addresses inside the network.
`apprise_services` lists the permitted services, and the parameters that would open files or addresses.
A service whose address contains the host is used only if OUTBOUND_ALLOWED_HOSTS lists that host.
Proxies of the environment were chosen by the operator and may be connected to. Reads settings and
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
    EMAIL_SCHEMAS,
    HOSTED_SCHEMAS,
    LOCAL_SCHEMAS,
    OPENING_PARAMETERS,
    TEMPLATE_OPENING_SCHEMAS,
    VENDOR_SCHEMAS,
    WEBHOOK_SCHEMAS,
)
from analytics_worker.errors import PermanentError
from analytics_worker.transport.address_filter import (
    AllowList,
    ForbiddenAddressError,
    configured_allow_list,
)
from analytics_worker.transport.connection_guard import restrict_connections

VENDOR_MODES = frozenset({"cloud", "official", "t2bot"})  # of services that vendors host, too


def load_plugin(url: SecretStr, asset: Any = None) -> Any:
    """Return Apprise's object for an address.

    Raises:
        PermanentError: the address is not valid, or its service may not be used.
    """
    from apprise import Apprise  # noqa: PLC0415  # takes 0.2 s, only for channels that use it

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    _disable_attachments()
    text = url.get_secret_value()
    with restrict_connections(configured_allow_list()):
        plugin: Any = Apprise.instantiate(text, asset=asset)
    schema = {text.partition("://")[0].strip().lower()}
    names = (
        schemas(plugin)
        if plugin
        else schema & (WEBHOOK_SCHEMAS | EMAIL_SCHEMAS | LOCAL_SCHEMAS | TEMPLATE_OPENING_SCHEMAS)
    )
    for schema in names:
        _check_service(schema)
    _check_parameters(text, names)
    if plugin is None:
        raise PermanentError("Apprise can't use the address of this channel")
    return plugin


@contextmanager
def restrict_plugin_connections(plugin: Any) -> Generator[None]:
    """Restrict the connections of Apprise to permitted addresses.

    Raises:
        ForbiddenAddressError: it tried to connect elsewhere, or its host is not listed.
    """
    check_plugin_host(plugin)
    with restrict_connections(_with_proxies(configured_allow_list())) as guard:
        yield
        guard.raise_if_refused()


def schemas(plugin: Any) -> set[str]:
    """Return the schemas of a service's addresses."""
    protocols = (plugin.protocol, plugin.secure_protocol)
    return {s for p in protocols if p for s in ([p] if isinstance(p, str) else p)}


def _disable_attachments() -> None:
    """Disable attachments of Apprise, of files and addresses, for every parameter."""
    from apprise.attachment.file import AttachFile  # noqa: PLC0415  # with apprise, not before it
    from apprise.attachment.http import AttachHTTP  # noqa: PLC0415
    from apprise.common import ContentLocation  # noqa: PLC0415

    AttachFile.location = AttachHTTP.location = ContentLocation.INACCESSIBLE


def _check_service(schema: str) -> None:
    """Refuse services that are not listed.

    Raises:
        PermanentError: the service is not permitted; the message says what to use.
    """
    if schema in VENDOR_SCHEMAS | HOSTED_SCHEMAS:
        return
    if schema in WEBHOOK_SCHEMAS:
        raise PermanentError("apprise's json, xml and form are webhooks: use a Webhook Channel")
    if schema in EMAIL_SCHEMAS:
        raise PermanentError("apprise's mailto is not a valid channel: use an Email Channel")
    if schema in LOCAL_SCHEMAS:
        raise PermanentError(
            f"apprise's {schema} is not a valid channel: it acts on the worker's machine"
        )
    raise PermanentError(f"apprise's {schema} is not one of the services that channels may use")


def _check_parameters(url: str, schemas: set[str]) -> None:
    """Refuse parameters that name something to open.

    Raises:
        PermanentError: the address has one.
    """
    # The start of the query depends on the service (# is part of a Slack channel): search everywhere.
    parameters = {
        unquote(name).strip(" +-:").lower() for name in re.findall(r"[?&;]([^=&;?]*)", url)
    }
    opened = (
        OPENING_PARAMETERS | {"template"}
        if schemas & TEMPLATE_OPENING_SCHEMAS
        else OPENING_PARAMETERS
    )
    if refused := sorted(parameters & opened):
        raise PermanentError(
            f"{refused[0]}= in the address of an Apprise Channel names a file or an address to"
            " open, which is not permitted; leave it out"
        )


def check_plugin_host(plugin: Any) -> None:
    """Refuse hosts that the operator has not listed, if the address chooses the host.

    Raises:
        ForbiddenAddressError: it is not listed.
    """
    host = str(plugin.host or "").strip("[]").lower()
    if not host or not _chooses_host(plugin):
        return
    if not _lists(configured_allow_list(), host):
        raise ForbiddenAddressError(
            f"{plugin.service_name} at {host}: apprise opens its own connections, so only hosts in"
            " OUTBOUND_ALLOWED_HOSTS are permitted. Add it there."
        )


def _chooses_host(plugin: Any) -> bool:
    """Whether the address, rather than the vendor's code, contains the host."""
    at_vendor = getattr(plugin, "mode", None) in VENDOR_MODES
    return not at_vendor and not HOSTED_SCHEMAS.isdisjoint(schemas(plugin))


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
