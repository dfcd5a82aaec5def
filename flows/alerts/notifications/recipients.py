"""Resolve the recipients of a rule: its channels, or the default channels of the environment.

Reads the settings; writes nothing. A recipient is an address or the name of a channel, never a URL.
"""

from collections.abc import Mapping, Sequence

from analytics_worker.delivery.message import Recipient
from analytics_worker.delivery.routing import default_recipients, owner_recipients
from analytics_worker.settings import settings
from flows.alerts.notifications.model import AUDIENCES, Audience
from flows.alerts.rules.model import Rule


def resolve_recipients(rule: Rule, audience: Audience) -> list[Recipient]:
    """Return the recipients of an audience, without duplicates."""
    if audience == "owner" and rule.owner:
        return _owner_recipients(rule.owner)
    if rule.channels is None:
        return default_recipients()
    recipients: dict[Recipient, None] = {}
    for channel in rule.channels:
        if channel.to:
            recipients |= dict.fromkeys(Recipient(channel.name, address) for address in channel.to)
        else:
            recipients |= dict.fromkeys(_channel_recipients(channel.name))
    return list(recipients)


def recipients_by_audience(rule: Rule) -> dict[Audience, list[Recipient]]:
    """Return the recipients of each audience; without an owner, the readers are notified for it."""
    readers = resolve_recipients(rule, "readers")
    owner = resolve_recipients(rule, "owner") if rule.owner else readers
    return {"readers": readers, "owner": owner}


def with_earlier_recipients(
    current: Sequence[Recipient], earlier: Sequence[Recipient]
) -> list[Recipient]:
    """Add the recipients of an earlier message, although the rule may have others now.

    A channel as a whole stands for all its addresses, so it is not combined with any of them.
    """
    whole = {each.channel for each in current if each.channel == each.address}
    channels = {each.channel for each in current}
    added = [
        each
        for each in earlier
        if each.channel not in (channels if each.channel == each.address else whole)
    ]
    return list(dict.fromkeys([*current, *added]))


def audiences_without_recipients(
    recipients: Mapping[Audience, Sequence[Recipient]],
) -> frozenset[Audience]:
    """Return the audiences that can't be notified; their notifications stay due."""
    return frozenset(each for each in AUDIENCES if not recipients[each])


def _owner_recipients(owner: str) -> list[Recipient]:
    """Return its channel's recipients, or its address, if that can be emailed."""
    if "@" not in owner:
        return _channel_recipients(owner)
    return [Recipient(each.channel, each.address) for each in owner_recipients(owner)]


def _channel_recipients(name: str) -> list[Recipient]:
    """Return the addresses of ALERT_EMAIL_TO for email, and the channel as a whole for others."""
    if name == "email" and settings().alert_email_to:
        return [Recipient(name, address) for address in settings().alert_email_to]
    return [Recipient(name, name)]
