"""Channels through apprise, which knows a hundred services.

Writes nothing but messages. Apprise says only whether it worked, and what it logs may hold addresses
with tokens, so neither its log nor its errors are passed on. Which services it may use, and where it may
connect to, is up to `toolkit.apprise_plugin`.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from pydantic import SecretStr

from flows.alerts._parcel import Parcel
from toolkit.apprise_plugin import connections_of, load_plugin
from toolkit.delivery import SENT, Outcome, permanent, temporary
from toolkit.outbound import ForbiddenAddressError
from toolkit.telemetry import timed_request


def apprise_service(url: SecretStr) -> str:
    """Name of the service's breaker; apprise's addresses may hold tokens where a host would be.

    Raises:
        PermanentError: apprise can't use the address, or a webhook channel is meant for it.
    """
    return f"apprise-{type(load_plugin(url)).__name__.removeprefix('Notify').lower()}"


@contextmanager
def apprise_sender(url: SecretStr) -> Generator[Callable[[Parcel], Outcome]]:
    """Send through the service that the address names."""
    plugin = load_plugin(url)
    yield lambda parcel: _notify(plugin, parcel)


@timed_request("apprise")
def _notify(plugin: Any, parcel: Parcel) -> Outcome:
    try:
        with connections_of(plugin):
            if plugin.notify(body=parcel.text, title=parcel.subject):
                return SENT
    except ForbiddenAddressError as error:
        return permanent(f"{plugin.service_name}: {error}")
    return temporary(f"apprise could not deliver through {plugin.service_name}", outage=True)
