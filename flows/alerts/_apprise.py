"""Channels through apprise, which knows a hundred services.

Writes nothing but messages. Apprise says only whether it worked, and what it logs may hold addresses
with tokens, so neither its log nor its errors are passed on.
"""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import httpcore
from pydantic import SecretStr

from flows.alerts._parcel import Parcel
from toolkit.delivery import SENT, Outcome, permanent, temporary, unreachable
from toolkit.errors import PermanentError
from toolkit.outbound import allow_list, permitted_addresses
from toolkit.settings import settings

# They post to any address, past the checks of our own web hooks.
WEBHOOK_SCHEMES = frozenset({"json", "xml", "form"})


def apprise_service(url: SecretStr) -> str:
    """Name of the service's breaker; apprise's addresses may hold tokens where a host would be.

    Raises:
        PermanentError: apprise can't use the address, or a webhook channel is meant for it.
    """
    return f"apprise-{type(_plugin(url)).__name__.removeprefix('Notify').lower()}"


def _plugin(url: SecretStr) -> Any:
    from apprise import Apprise  # noqa: PLC0415  # 0.2 s that only its users wait for

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
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)
    plugin = _plugin(url)
    yield lambda parcel: _notify(plugin, parcel)


def _notify(plugin: Any, parcel: Parcel) -> Outcome:
    try:
        _check_host(plugin)
    except PermanentError as error:
        return permanent(str(error))
    except httpcore.ConnectError as error:
        return unreachable(str(error))
    if plugin.notify(body=parcel.text, title=parcel.subject):
        return SENT
    return temporary(f"apprise could not deliver through {plugin.service_name}", outage=True)


def _check_host(plugin: Any) -> None:
    """Services that anybody can run name a host, which must be one that webhooks may reach."""
    if plugin.protocol and plugin.host:
        permitted_addresses(plugin.host, 0, allow_list(settings().webhook_allowed_hosts))
