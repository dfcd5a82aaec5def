"""A Workflows webhook of Microsoft Teams.

Checks the message format in
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using, the
28 KB of https://learn.microsoft.com/connectors/teams and the essentials of the schema in
https://adaptivecards.io/explorer (version 1.4: required properties, types, enumerations). Markdown is
shown in TextBlock and Fact (https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features):
neither may hold data, so neither is accepted.
"""

import re
from typing import Any

from tests.support.receivers.service import (
    Answer,
    Request,
    Service,
    require,
    require_known_fields,
    text,
    web_address,
)

PATH = "/workflows/canary/triggers/manual/paths/invoke?api-version=1&sig=canary"
MAX_BYTES = 28 * 1024

_SPACING = {"None", "Small", "Default", "Medium", "Large", "ExtraLarge", "Padding"}
_STYLES = {"default", "emphasis", "good", "attention", "warning", "accent"}


class Teams(Service):
    """Accepted cards are in ``accepted``."""

    def handle(self, request: Request) -> Answer:
        require(request.path == PATH, "unknown workflow")
        if len(request.body) > MAX_BYTES:
            self.rejected.append(f"{len(request.body)} bytes")
            return Answer(413, b"Request Entity too large")
        body = request.json
        require_known_fields(body, "message", {"type", "attachments"})
        require(body["type"] == "message" and len(body["attachments"]) == 1, "message")
        attachment = body["attachments"][0]
        require_known_fields(attachment, "attachment", {"contentType", "content", "contentUrl"})
        require(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "type")
        _card(attachment["content"])
        self.accepted.append(attachment["content"])
        return Answer(202)

    def invalid(self, reason: str) -> Answer:
        return Answer(400, f"Bad Request: {reason}".encode())


def _card(card: dict[str, Any]) -> None:
    require_known_fields(
        card, "card", {"$schema", "type", "version", "msteams", "fallbackText", "body", "actions"}
    )
    require(card["type"] == "AdaptiveCard", "type of the card")
    require(re.fullmatch(r"1\.[0-5]", card["version"]), "version of the card")
    require(card["body"], "an empty card")
    for element in card["body"]:
        _element(element)
    require(len(card.get("actions", [])) <= 6, "more than 6 actions")
    for action in card.get("actions", []):
        require_known_fields(action, "action", {"type", "title", "url"})
        require(action["type"] == "Action.OpenUrl", "type of the action")
        text(action["title"], "title of the action", 100)
        web_address(action["url"], "url of the action")


def _element(element: dict[str, Any]) -> None:
    kinds = {
        "Container": ("items", {"style", "bleed", "spacing"}),
        "ColumnSet": ("columns", {"spacing"}),
        "Column": ("items", {"width"}),
        "RichTextBlock": ("inlines", {"spacing"}),
        "TextRun": (None, {"text", "size", "weight", "isSubtle"}),
    }
    require(element["type"] in kinds, f"a {element['type']} may hold no data")
    children, options = kinds[element["type"]]
    require_known_fields(
        element, element["type"], {"type", *options, *([children] if children else [])}
    )
    require(element.get("spacing", "None") in _SPACING, "spacing")
    require(element.get("style", "default") in _STYLES, "style")
    if children is None:
        text(element["text"], "text of a TextRun", 10_000)
        require(not re.search(r"\{\{(DATE|TIME)\(", element["text"]), "a date function")
        return
    require(isinstance(element[children], list), children)
    for child in element[children]:
        _element(child)
