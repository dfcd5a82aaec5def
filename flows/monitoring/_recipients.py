"""Choose who is notified of deployments and the database: MONITORING_CHANNELS, or the default channels.

Reads the settings, and blocks where an address is needed at once; writes nothing.
"""

from analytics_worker.delivery import (
    ChannelUnavailableError,
    Recipient,
    default_recipients,
    recipients_of,
)
from analytics_worker.errors import PermanentError
from analytics_worker.settings import settings


def monitoring_recipients() -> list[Recipient]:
    """Return who is notified; the outbox resolves names of blocks when it sends."""
    default = default_recipients()
    names = list(dict.fromkeys(name for name in settings().monitoring_channels if name))
    if not names:
        return default
    return [each for name in names for each in _named(name, default)]


def _named(name: str, default: list[Recipient]) -> list[Recipient]:
    return [each for each in default if each.channel == name] or [Recipient(name, name)]


def reachable_recipients() -> list[Recipient]:
    """Return the same with the addresses of each block, for messages that can't wait in the outbox."""
    return [each for recipient in monitoring_recipients() for each in _addressed(recipient)]


def _addressed(recipient: Recipient) -> list[Recipient]:
    if recipient.address != recipient.channel:
        return [recipient]
    try:
        return recipients_of(recipient.channel) or [recipient]
    except (PermanentError, ChannelUnavailableError):
        return [recipient]  # sending to it says why it can't be used
