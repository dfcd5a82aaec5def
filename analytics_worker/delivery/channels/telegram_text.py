"""Write a message in Telegram's HTML: complete lines, as many as fit the limit.

Reads nothing, writes nothing.
"""

from collections.abc import Iterable
from html import escape

from analytics_worker.delivery import escaping
from analytics_worker.delivery.channels.card import ARROWS, SYMBOLS, Card
from analytics_worker.delivery.message import Link

MAX_TEXT = 4096
MAX_TITLE = 250
MAX_LINE = 1000
MAX_LABEL = 100


def telegram_text(card: Card) -> str:
    """Return title, label, values and links; what does not fit is cut visibly."""
    heading, links = _heading(card), _links(card)
    remaining = MAX_TEXT - escaping.utf16_units(f"{heading}\n\n\n\n{links}")
    body = _as_many(_body(card), remaining - escaping.utf16_units(f"\n{escaping.SHORTENED}"))
    return "\n\n".join(filter(None, [heading, body, links]))


def _heading(card: Card) -> str:
    title = _cut(escaping.single_line(card.title), MAX_TITLE) or "(no subject)"
    label = _cut(escaping.single_line(card.label), MAX_LABEL)
    first = " ".join(filter(None, [SYMBOLS[card.tone], f"<b>{title}</b>"]))
    return f"{first}\n{label}" if label else first


def _body(card: Card) -> Iterable[str]:
    for tile in card.tiles:
        change = f" ({ARROWS[tile.direction]}{tile.change})" if tile.change else ""
        yield f"{_cut(tile.label, MAX_LABEL)}: <b>{_cut(f'{tile.value}{change}', MAX_LINE)}</b>"
    for fact in card.facts:
        yield f"<b>{_cut(fact.label, MAX_LABEL)}:</b> {_cut(fact.value, MAX_LINE)}"
    for item in card.items:
        yield f"• {_cut(escaping.single_line(item), MAX_LINE)}"
    for line in card.text.strip().split("\n"):
        yield _cut(line, MAX_LINE)
    for name in card.missing:
        yield f"{_cut(name, MAX_LABEL)} (not attached)"


def _links(card: Card) -> str:
    """Return the links in the order of importance, as many as fit half of the limit."""
    return _as_many((_link(link) for link in card.links), MAX_TEXT // 2, end="")


def _link(link: Link) -> str:
    label = _cut(link.label, MAX_LABEL)
    return f'<a href="{escape(link.url)}">{label}</a>'


def _as_many(lines: Iterable[str], remaining: int, end: str = escaping.SHORTENED) -> str:
    """Join the lines that fit; ``end`` follows in place of the others."""
    fitting: list[str] = []
    for line in lines:
        remaining -= escaping.utf16_units(line) + 1
        if remaining < 0:
            fitting += [end] if end else []
            break
        fitting.append(line)
    return "\n".join(fitting).strip()


def _cut(text: str, limit: int) -> str:
    return escaping.cut(text, limit, escape=escaping.telegram)
