"""Open the channel of a block of any kind, and return its target.

Opens no connection. Apprise is imported only if a block uses it.
"""

from collections.abc import Callable
from typing import Any

from analytics_worker.delivery.channels import (
    apprise,
    email,
    opsgenie,
    pagerduty,
    slack,
    teams,
    telegram,
    webhook,
)
from analytics_worker.delivery.channels.base import Channel
from analytics_worker.errors import PermanentError
from blocks.notifications import (
    AppriseChannel,
    ChannelBlock,
    EmailChannel,
    OpsgenieChannel,
    PagerDutyChannel,
    SlackChannel,
    TeamsChannel,
    TelegramChannel,
    WebhookChannel,
)

UNUSABLE = "(address can't be used)"


OPENERS: dict[type[ChannelBlock], Callable[[str, Any], Channel]] = {
    EmailChannel: email.open_channel,
    WebhookChannel: webhook.open_channel,
    SlackChannel: slack.open_channel,
    TeamsChannel: teams.open_channel,
    PagerDutyChannel: pagerduty.open_channel,
    OpsgenieChannel: opsgenie.open_channel,
    TelegramChannel: telegram.open_channel,
    AppriseChannel: apprise.open_channel,
}


def open_channel(name: str, block: ChannelBlock) -> Channel:
    """Return the channel of a block.

    Raises:
        PermanentError: the block's address can't be used; the message never repeats it.
    """
    return OPENERS[type(block)](name, block)


def channel_target(block: ChannelBlock) -> str:
    """Return the target of a channel for lists: a host, never a path or a token."""
    try:
        return open_channel("", block).target
    except PermanentError:
        return UNUSABLE
