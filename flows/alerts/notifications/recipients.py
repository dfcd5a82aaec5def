"""Who gets a notice: the rule's channels, or the default ones of the environment.

Reads the settings; writes nothing. A recipient is an address or the name of a channel, never a URL.
"""

from analytics_worker.settings import settings
from flows.alerts.notifications.model import Audience
from flows.alerts.rules.model import Rule

Recipient = tuple[str, str]
"""Channel, and the address or the channel's name."""


def recipients(rule: Rule, audience: Audience) -> list[Recipient]:
    """Everybody who gets a notice of the rule, each once."""
    if audience == "owner" and rule.owner:
        return _of_owner(rule.owner)
    if rule.channels is None:
        return default_recipients()
    found: dict[Recipient, None] = {}
    for channel in rule.channels:
        if channel.to:
            found |= dict.fromkeys((channel.name, address) for address in channel.to)
        else:
            found |= dict.fromkeys(_of_channel(channel.name))
    return list(found)


def _of_owner(owner: str) -> list[Recipient]:
    return [("email", owner)] if "@" in owner else _of_channel(owner)


def _of_channel(name: str) -> list[Recipient]:
    """A channel without addresses reaches those that it was set up with."""
    if name == "email" and settings().alert_email_to:
        return [(name, address) for address in settings().alert_email_to]
    return [(name, name)]


def default_recipients() -> list[Recipient]:
    """What ALERT_EMAIL_*, ALERT_WEBHOOK_URL and ALERT_SLACK_URL make."""
    chosen = settings()
    found = _of_channel("email") if chosen.alert_email_host and chosen.alert_email_to else []
    hooks = {"webhook": chosen.alert_webhook_url, "slack": chosen.alert_slack_url}
    return [*found, *((name, name) for name, url in hooks.items() if url)]
