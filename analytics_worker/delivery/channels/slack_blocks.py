"""Lay a message out as Slack blocks: a header, then the details beside a bar in the severity's color.

Data is in plain_text objects, in which Slack formats nothing. Only values without any formatting
character are in mrkdwn, the one kind that has bold labels. The limits are those of
https://docs.slack.dev/reference/block-kit/blocks (header 150, section 3000, 10 fields of 2000, button
75). Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.card import ARROWS, COLORS, SYMBOLS, Card
from analytics_worker.delivery.message import Content, Fact, Tile

MAX_HEADER = 150
MAX_SECTION = 3000
MAX_FIELDS = 10
MAX_FIELD = 2000
MAX_VALUE = 600
SHORT_VALUE = 45
MAX_LABEL = 80
MAX_BUTTON = 75
MAX_BUTTONS = 5
MAX_MESSAGE = 3000
MAX_ITEM = 300

Json = dict[str, Any]


def slack_message(content: Content, card: Card) -> Json:
    """Return the fields of a message that chat.postMessage and incoming webhooks share."""
    text = escaping.cut(_full_text(content), MAX_MESSAGE, escape=escaping.slack_message)
    body: Json = {
        "text": text,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [_header(card)],
    }
    details = _details_blocks(card)
    if details:
        fallback = _plain(card.title, MAX_SECTION)["text"]
        body["attachments"] = [
            {"color": COLORS[card.tone], "fallback": fallback, "blocks": details}
        ]
    return body


def _full_text(content: Content) -> str:
    """Return subject and text; some texts begin with their subject."""
    begins = content.text.startswith(content.subject)
    full_text = content.text if begins else f"{content.subject}\n{content.text}"
    return full_text if full_text.strip() else "(no text)"


def _header(card: Card) -> Json:
    symbol = SYMBOLS[card.tone]
    title = escaping.single_line(card.title) or "(no subject)"
    return {"type": "header", "text": _plain(f"{symbol} {title}".strip(), MAX_HEADER)}


def _details_blocks(card: Card) -> list[Json]:
    return [
        *_context(card.label),
        *_fields([_tile(tile) for tile in card.tiles]),
        *_facts(card.facts),
        *_section("\n".join(f"• {_item(item)}" for item in card.items)),
        *_section(card.text),
        *_section(_links_and_missing_files(card)),
        *_buttons(card),
    ]


def _context(label: str) -> list[Json]:
    text = _plain(escaping.single_line(label), MAX_LABEL)
    return [{"type": "context", "elements": [text]}] if text["text"] else []


def _section(text: str) -> list[Json]:
    return [{"type": "section", "text": _plain(text, MAX_SECTION)}] if text.strip() else []


def _fields(fields: Sequence[Json]) -> list[Json]:
    starts = range(0, len(fields), MAX_FIELDS)
    return [{"type": "section", "fields": list(fields[at : at + MAX_FIELDS])} for at in starts]


def _facts(facts: Sequence[Fact]) -> list[Json]:
    """Return short values in two columns and long ones over the whole width, in their order."""
    blocks: list[Json] = []
    for is_long, group in groupby(facts, lambda fact: len(fact.value) > SHORT_VALUE):
        fields = [_field(fact.label, fact.value) for fact in group]
        wide = [{"type": "section", "text": field} for field in fields]
        blocks += wide if is_long else _fields(fields)
    return blocks


def _tile(tile: Tile) -> Json:
    change = f"\n{ARROWS[tile.direction]}{tile.change}" if tile.change else ""
    return _field(tile.label, f"{tile.value}{change}")


def _field(label: str, value: str) -> Json:
    """Return a field: a bold label above its value, or plain text if mrkdwn would format a part."""
    short_label = _short(escaping.single_line(label), MAX_LABEL)
    short_value = _short(value.strip(), MAX_VALUE)
    parts = [escaping.slack_mrkdwn(part) for part in (short_label, *short_value.split("\n"))]
    escaped = [part for part in parts if part is not None]
    lines = "\n".join([f"*{escaped[0].strip()}*", *escaped[1:]]) if escaped else ""
    if len(escaped) == len(parts) and escaped[0].strip() and len(lines) <= MAX_FIELD:
        return {"type": "mrkdwn", "text": lines, "verbatim": True}
    return _plain(f"{short_label}\n{short_value}", MAX_FIELD)


def _item(text: str) -> str:
    return _short(escaping.single_line(text), MAX_ITEM)


def _short(text: str, limit: int) -> str:
    """Shorten without escaping: the result is still data."""
    return escaping.cut(text, limit, escape=escaping.visible)


def _links_and_missing_files(card: Card) -> str:
    """Return the links without a button, and the files that can't be reached."""
    links = [f"{link.label}: {link.url}" for link in card.links[MAX_BUTTONS:]]
    files = [f"{name} (not attached)" for name in card.missing]
    return "\n".join([*links, *files])


def _buttons(card: Card) -> list[Json]:
    buttons = [
        {
            "type": "button",
            "text": _plain(link.label, MAX_BUTTON),
            "url": link.url,
        }
        for link in card.links[:MAX_BUTTONS]
    ]
    return [{"type": "actions", "elements": buttons}] if buttons else []


def _plain(text: str, limit: int) -> Json:
    escaped = escaping.cut(text, limit, escape=escaping.slack)
    return {"type": "plain_text", "text": escaped, "emoji": False}
