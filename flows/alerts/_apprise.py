"""Channels through apprise, which knows a hundred services.

Writes nothing but messages. Apprise says only whether it worked, and what it logs may hold addresses
with tokens, so neither its log nor its errors are passed on.

It also resolves names, connects and follows redirects by itself, where no check of ours can stand. So a
service of a fixed vendor is used as it is, and one whose host the address names only if that host is
listed in WEBHOOK_ALLOWED_HOSTS: whoever lists a host trusts it, whatever its name leads to.
"""

import ipaddress
import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from flows.alerts._parcel import Parcel
from toolkit.delivery import SENT, Outcome, permanent, temporary
from toolkit.errors import PermanentError
from toolkit.outbound import AllowList, ForbiddenAddressError, allow_list
from toolkit.settings import settings
from toolkit.telemetry import timed_request

# They post to any address, past the checks of our own web hooks.
WEBHOOK_SCHEMES = frozenset({"json", "xml", "form"})

# The "host" of their addresses is the sender's mail domain; they connect to their vendor.
VENDORS = frozenset({"mailgun", "sparkpost", "smtp2go", "sendpulse"})
VENDOR_MODES = frozenset({"cloud", "official", "t2bot"})  # of services that exist at a vendor, too


def apprise_service(url: SecretStr) -> str:
    """Name of the service's breaker; apprise's addresses may hold tokens where a host would be.

    Raises:
        PermanentError: apprise can't use the address, or a webhook channel is meant for it.
    """
    return f"apprise-{type(_plugin(url)).__name__.removeprefix('Notify').lower()}"


def _plugin(url: SecretStr) -> Any:
    from apprise import Apprise  # noqa: PLC0415  # 0.2 s that only its users wait for

    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    plugin: Any = Apprise.instantiate(url.get_secret_value())
    if plugin is None:
        raise PermanentError("apprise can't use the address of this channel")
    if not WEBHOOK_SCHEMES.isdisjoint(_schemes(plugin.protocol)):
        raise PermanentError("apprise's json, xml and form are web hooks: use a Webhook Channel")
    return plugin


def _schemes(protocol: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return protocol if isinstance(protocol, tuple) else (protocol or "",)


@contextmanager
def apprise_sender(url: SecretStr) -> Generator[Callable[[Parcel], Outcome]]:
    """Send through the service that the address names."""
    plugin = _plugin(url)
    yield lambda parcel: _notify(plugin, parcel)


@timed_request("apprise")
def _notify(plugin: Any, parcel: Parcel) -> Outcome:
    try:
        _check_host(plugin)
    except PermanentError as error:
        return permanent(str(error))
    if plugin.notify(body=parcel.text, title=parcel.subject):
        return SENT
    return temporary(f"apprise could not deliver through {plugin.service_name}", outage=True)


def _check_host(plugin: Any) -> None:
    """Let only hosts through that the operator has listed, where the address chooses the host.

    Raises:
        ForbiddenAddressError: it is not listed.
    """
    host = str(plugin.host or "").strip("[]").lower()
    if not host or not _chooses_host(plugin):
        return
    if not _lists(allow_list(settings().webhook_allowed_hosts), host):
        raise ForbiddenAddressError(
            f"{plugin.service_name} at {host}: apprise connects by itself, so only hosts in"
            " WEBHOOK_ALLOWED_HOSTS are let through. Add it there."
        )


def _chooses_host(plugin: Any) -> bool:
    """Whether the address says where to connect to, rather than the vendor's code."""
    at_vendor = getattr(plugin, "mode", None) in VENDOR_MODES
    named = any("{host}" in template for template in plugin.templates)
    return named and not at_vendor and VENDORS.isdisjoint(_schemes(plugin.secure_protocol))


def _lists(allowed: AllowList, host: str) -> bool:
    if host in allowed.names:
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return any(address in n for n in allowed.networks if n.version == address.version)
