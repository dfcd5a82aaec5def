"""Escape text for Slack and compatible services such as Mattermost and Rocket.Chat.

Reads nothing, writes nothing. A link (``<https://…|text>``), a mention (``<!channel>``) and an entity
begin with one of three characters. An escaped text contains none of them
(https://docs.slack.dev/messaging/formatting-message-text).
"""

from analytics_worker.text import printable


def slack_escaped(text: str) -> str:
    """Return the text as Slack is to show it, without links and mentions."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
