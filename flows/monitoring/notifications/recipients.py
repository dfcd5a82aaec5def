"""Select the recipients of monitoring: MONITORING_CHANNELS, or the default channels.

Reads the settings, and blocks where addresses are needed immediately; writes nothing.
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
    """Return the recipients; the outbox resolves the names of blocks when it sends."""
    default = default_recipients()
    names = list(dict.fromkeys(name for name in settings().monitoring_channels if name))
    if not names:
        return default
    return [each for name in names for each in _resolve(name, default)]


def _resolve(name: str, default: list[Recipient]) -> list[Recipient]:
    return [each for each in default if each.channel == name] or [Recipient(name, name)]


def addressed_recipients() -> list[Recipient]:
    """Return the recipients with the addresses of each block, for messages that bypass the outbox."""
    return [each for recipient in monitoring_recipients() for each in _with_addresses(recipient)]


def _with_addresses(recipient: Recipient) -> list[Recipient]:
    if recipient.address != recipient.channel:
        return [recipient]
    try:
        return recipients_of(recipient.channel) or [recipient]
    except (PermanentError, ChannelUnavailableError):
        return [recipient]  # sending to it reports why it can't be used
