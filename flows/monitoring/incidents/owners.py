"""Find who is notified of an incident: its owner, if a channel reaches it, else the recipients of monitoring.

Reads the settings, and the block of a channel that an owner may be the name of; writes nothing.
"""

import re
from collections.abc import Iterable

from analytics_worker.delivery import ChannelUnavailableError, Recipient
from analytics_worker.delivery.routing import channel, owner_recipients
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings
from flows.monitoring.notifications.recipients import monitoring_recipients

_ADDRESS = re.compile(r"<?([^\s<>,;]+@[^\s<>,;]+)>?")
"""dbt's owners are texts such as ``Ann <ann@example.com>``."""
READ_BY_PEOPLE = frozenset({"email", "slack", "teams", "telegram"})
"""Kinds of channels that may name the addresses of readers to an owner."""


def incident_recipients(owner: str | None, *, only_owner: bool = False) -> list[Recipient]:
    """Return the recipients; the owner of a dbt node may be a name that no channel has.

    Args:
        owner: An email address, the name of a channel, or any text.
        only_owner: Return none if no channel reaches the owner.
    """
    if owner:
        if found := _ADDRESS.findall(owner):
            return list(dict.fromkeys(each for address in found for each in _of(address)))
        if _kind(owner):
            return _of(owner)
    return [] if only_owner else monitoring_recipients()


def shows_addresses(recipient: Recipient, owners: Iterable[str | None]) -> bool:
    """Return whether messages to a recipient name addresses: the email or chat of an owner, or as the settings say."""
    if recipient.channel in settings().incident_address_channels:
        return True
    names = [owner for owner in owners if owner]
    own = {address for name in names for address in (name, *_ADDRESS.findall(name))}
    kind = "email" if recipient.channel == "email" else None
    return recipient.address in own and (kind or _kind(recipient.channel)) in READ_BY_PEOPLE


def _of(owner: str) -> list[Recipient]:
    return [each._replace(role="to") for each in owner_recipients(owner)]


def _kind(name: str) -> str | None:
    """Return the kind of a channel; None if there is none of that name."""
    try:
        return channel(name).kind
    except (PermanentError, ChannelUnavailableError):
        return None
