"""Who gets a notice: the rule's channels, or the default ones of the environment.

Reads the settings; writes nothing. A recipient is an address or the name of a channel, never a URL.
"""

from analytics_worker.delivery.message import Recipient
from analytics_worker.delivery.routing import default_recipients
from analytics_worker.settings import settings
from flows.alerts.notifications.model import AUDIENCES, Audience
from flows.alerts.rules.model import Rule


def recipients(rule: Rule, audience: Audience) -> list[Recipient]:
    """Return everybody who gets a notice of the rule, each once."""
    if audience == "owner" and rule.owner:
        return _of_owner(rule.owner)
    if rule.channels is None:
        return default_recipients()
    found: dict[Recipient, None] = {}
    for channel in rule.channels:
        if channel.to:
            found |= dict.fromkeys(Recipient(channel.name, address) for address in channel.to)
        else:
            found |= dict.fromkeys(_of_channel(channel.name))
    return list(found)


def unreachable(rule: Rule) -> frozenset[Audience]:
    """Return the audiences that nobody belongs to: what they should know is kept for later."""
    return frozenset(each for each in AUDIENCES if not recipients(rule, each))


def _of_owner(owner: str) -> list[Recipient]:
    return [Recipient("email", owner)] if "@" in owner else _of_channel(owner)


def _of_channel(name: str) -> list[Recipient]:
    """Return the addresses of ALERT_EMAIL_TO for email; else the channel as a whole."""
    if name == "email" and settings().alert_email_to:
        return [Recipient(name, address) for address in settings().alert_email_to]
    return [Recipient(name, name)]
