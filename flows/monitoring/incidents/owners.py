"""Find who is notified of an incident: its owner, if a channel reaches it, else the recipients of monitoring.

Reads the settings, and the block of a channel that an owner may be the name of; writes nothing.
"""

import re

from analytics_worker.delivery import ChannelUnavailableError, Recipient
from analytics_worker.delivery.routing import channel, owner_recipients
from analytics_worker.errors import PermanentError
from flows.monitoring.notifications.recipients import monitoring_recipients

_ADDRESS = re.compile(r"<?([^\s<>,;]+@[^\s<>,;]+)>?")
"""dbt's owners are texts such as ``Ann <ann@example.com>``."""


def incident_recipients(owner: str | None, *, only_owner: bool = False) -> list[Recipient]:
    """Return the recipients; the owner of a dbt node may be a name that no channel has.

    Args:
        owner: An email address, the name of a channel, or any text.
        only_owner: Return none if no channel reaches the owner.
    """
    if owner:
        if found := _ADDRESS.findall(owner):
            return list(dict.fromkeys(each for address in found for each in _of(address)))
        if _is_channel(owner):
            return _of(owner)
    return [] if only_owner else monitoring_recipients()


def _of(owner: str) -> list[Recipient]:
    return [each._replace(role="to") for each in owner_recipients(owner)]


def _is_channel(name: str) -> bool:
    try:
        return bool(channel(name))
    except (PermanentError, ChannelUnavailableError):
        return False
