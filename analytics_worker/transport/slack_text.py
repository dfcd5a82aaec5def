"""Text for Slack and what understands the same: Mattermost, Rocket.Chat.

Reads nothing, writes nothing. A link (``<https://…|text>``), a mention (``<!channel>``) and an entity
begin with one of three characters; escaped, a text from data holds none of them
(https://docs.slack.dev/messaging/formatting-message-text).
"""

from analytics_worker.text import printable


def slack_escaped(text: str) -> str:
    """Return the text as Slack is to show it, without links and mentions."""
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
