"""Lay a message out as an Adaptive Card for Microsoft Teams.

Data is only in the TextRuns of RichTextBlocks, because TextBlock and FactSet show Markdown
(https://learn.microsoft.com/adaptive-cards/authoring-cards/text-features). Version 1.4, which Teams
shows on all devices; a message has 28 KB
(https://learn.microsoft.com/connectors/teams/#known-issues-and-limitations-with-actions).
Reads nothing, writes nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.card import ARROWS, Card
from analytics_worker.delivery.message import Fact, Severity, Tile
from analytics_worker.transport.http import json_bytes

MAX_BYTES = 28_000
MAX_TITLE = 300
MAX_BUTTON = 60
MAX_BUTTONS = 6
TILES_IN_A_ROW = 3
CARD_TYPE = "application/vnd.microsoft.card.adaptive"

STYLES: dict[Severity | None, str] = {
    "critical": "attention",
    "warning": "warning",
    "ok": "good",
    "info": "accent",
    None: "emphasis",
}
# The maximal length of the texts of one card: more than most messages need, then less until it fits.
BUDGETS = (6000, 3000, 1500, 700, 300, 120, 60)

Json = dict[str, Any]


def teams_message(card: Card) -> Json:
    """Return the body for a Workflows webhook, shortened until it fits."""
    return next(
        (body for body in _candidates(card) if len(json_bytes(body)) <= MAX_BYTES),
        _title_only(card),
    )


def _candidates(card: Card) -> Iterable[Json]:
    for budget in BUDGETS:
        yield _message(card, budget)


def _title_only(card: Card) -> Json:
    return _message(card._replace(facts=(), tiles=(), items=(), missing=(), text=""), BUDGETS[-1])


def _message(card: Card, budget: int) -> Json:
    content: Json = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "fallbackText": _text(card.title, MAX_TITLE),
        "body": [_heading(card), *_body(card, budget)],
    }
    actions = _actions(card)
    if actions:
        content["actions"] = actions
    return {"type": "message", "attachments": [{"contentType": CARD_TYPE, "content": content}]}


def _heading(card: Card) -> Json:
    title = _text(escaping.single_line(card.title), MAX_TITLE) or "(no subject)"
    label = _text(escaping.single_line(card.label), MAX_TITLE)
    lines = [_run(label, size="Small", weight="Bolder")] if label else []
    return {
        "type": "Container",
        "style": STYLES[card.tone],
        "bleed": True,
        "items": [
            *(_block([line]) for line in lines),
            _block([_run(title, size="Large", weight="Bolder")], spacing="None"),
        ],
    }


def _body(card: Card, budget: int) -> list[Json]:
    rows = [
        card.tiles[at : at + TILES_IN_A_ROW] for at in range(0, len(card.tiles), TILES_IN_A_ROW)
    ]
    items = [f"• {_text(escaping.single_line(item), budget)}" for item in card.items]
    return [
        *(_tiles(row) for row in rows),
        *(_fact(fact, budget) for fact in card.facts),
        *_lines(items),
        *_lines(_paragraphs(card.text, budget)),
        *(_block([_run(f"{_text(name, budget)} (not attached)")]) for name in card.missing),
        *_links(card),
    ]


def _tiles(tiles: Sequence[Tile]) -> Json:
    empty = [_column([], "1")] * (TILES_IN_A_ROW - len(tiles))
    return _columns([*(_column(_tile(tile), "1") for tile in tiles), *empty])


def _tile(tile: Tile) -> list[Json]:
    change = _text(f"{ARROWS[tile.direction]}{tile.change}", MAX_TITLE) if tile.change else ""
    return [
        _block([_run(_text(tile.label, MAX_TITLE), size="Small", isSubtle=True)]),
        _block([_run(_text(tile.value, MAX_TITLE), size="Large", weight="Bolder")], spacing="None"),
        *([_block([_run(change, size="Small")], spacing="None")] if change else []),
    ]


def _fact(fact: Fact, budget: int) -> Json:
    label = _text(fact.label, min(budget, MAX_TITLE))
    lines = _paragraphs(fact.value, budget) or [""]
    columns = [
        _column([_block([_run(label, isSubtle=True)])], "1"),
        _column([_block([_run(line)], spacing="None") for line in lines], "2"),
    ]
    return _columns(columns, spacing="Small")


def _lines(lines: Sequence[str]) -> list[Json]:
    """Return a list with spacing above it."""
    spacings = ("Default" if at == 0 else "Small" for at in range(len(lines)))
    return [
        _block([_run(line)], spacing=space) for line, space in zip(lines, spacings, strict=True)
    ]


def _paragraphs(text: str, budget: int) -> list[str]:
    """Return the lines of a text: a TextRun shows no line breaks on every device."""
    return [line for line in _text(text.strip(), budget).split("\n") if line.strip()]


def _links(card: Card) -> list[Json]:
    """Return the links without a button."""
    lines = [_text(f"{link.label}: {link.url}", MAX_TITLE) for link in card.links[MAX_BUTTONS:]]
    return [_block([_run(line)], spacing="Small") for line in lines]


def _actions(card: Card) -> list[Json]:
    return [
        {
            "type": "Action.OpenUrl",
            "title": _text(link.label, MAX_BUTTON),
            "url": link.url,
        }
        for link in card.links[:MAX_BUTTONS]
    ]


def _columns(columns: Sequence[Json], **options: Any) -> Json:
    return {"type": "ColumnSet", "columns": list(columns), **options}


def _column(items: Sequence[Json], width: str) -> Json:
    return {"type": "Column", "width": width, "items": list(items)}


def _block(runs: Sequence[Json], **options: Any) -> Json:
    return {"type": "RichTextBlock", "inlines": list(runs), **options}


def _run(text: str, **options: Any) -> Json:
    return {"type": "TextRun", "text": text if text.strip() else "–", **options}


def _text(text: str, limit: int) -> str:
    return escaping.cut(text, limit, escape=escaping.teams)
