"""Choose what a receiver with little space shows of a message, in which order and color.

A card shows the facts, tiles and items of a message, and its text only if it has none of them. A domain
whose user wrote the text with a template leaves facts, tiles and items empty. Everything here is still
unescaped data. Reads nothing, writes nothing.
"""

import re
from collections.abc import Callable, Collection
from itertools import chain, count
from typing import NamedTuple, TypeVar
from urllib.parse import urlsplit

from analytics_worker.delivery.escaping import single_line
from analytics_worker.delivery.message import Content, Fact, Link, Severity, Tile

T = TypeVar("T")

MAX_FACTS = 30
MAX_ITEMS = 30
MAX_TILES = 20
MAX_LINKS = 10
MAX_URL = 2000
UNNAMED_LINK = "Open"

COLORS: dict[Severity | None, str] = {
    "critical": "#c81e1e",
    "warning": "#b45309",
    "ok": "#15803d",
    "info": "#2563eb",
    None: "#475569",
}
SYMBOLS: dict[Severity | None, str] = {
    "critical": "🔴",
    "warning": "🟠",
    "ok": "🟢",
    "info": "🔵",
    None: "",
}
ARROWS = {"up": "▲ ", "down": "▼ ", "none": ""}

_PREFIX = re.compile(r"\[([^\]]{1,40})\]")
_URL_CHARACTERS = re.compile(r"[!-~]+")


class Card(NamedTuple):
    """The parts of a message that are shown.

    Attributes:
        tone: The severity that decides the color; ``ok`` for the end of an incident.
        label: A word or two such as "CRITICAL"; may be empty.
        title: One line.
        facts: Labeled values.
        tiles: Numbers.
        items: Lines of a list.
        text: Plain text, if there are neither facts, tiles nor items.
        links: With usable addresses only, each file that is not attached among them.
        missing: Names of files that are neither attached nor linked.
    """

    tone: Severity | None
    label: str
    title: str
    facts: tuple[Fact, ...]
    tiles: tuple[Tile, ...]
    items: tuple[str, ...]
    text: str
    links: tuple[Link, ...]
    missing: tuple[str, ...]


def card_of(content: Content, attached: Collection[str] = ()) -> Card:
    """Return the card of a message; ``attached`` names the files that are sent as files."""
    structured = content.facts or content.items or content.tiles
    separate = [file for file in content.attachments if file.attach_as not in attached]
    linked = [Link(label=file.attach_as, url=file.url) for file in separate]
    return Card(
        tone=tone(content),
        label=_label(content),
        title=content.headline or content.subject,
        facts=_first(content.facts, MAX_FACTS, lambda more: Fact(label="…", value=more)),
        tiles=content.tiles[:MAX_TILES],
        items=_first(content.items, MAX_ITEMS, str),
        text="" if structured else content.text,
        links=tuple(
            _with_label(link) for link in (*content.links, *linked) if is_usable_url(link.url)
        )[:MAX_LINKS],
        missing=tuple(file.attach_as for file in separate if not is_usable_url(file.url)),
    )


def _with_label(link: Link) -> Link:
    return link.model_copy(update={"label": single_line(link.label) or UNNAMED_LINK})


def tone(content: Content) -> Severity | None:
    """Return the severity that decides the color of a message."""
    return "ok" if content.incident_action == "resolve" else content.severity


def is_usable_url(url: str) -> bool:
    """Whether every receiver accepts the URL: http(s), ASCII, not too long."""
    if not _URL_CHARACTERS.fullmatch(url) or len(url) > MAX_URL or set(url) & set("<>\"'`|\\"):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)


def _label(content: Content) -> str:
    """Return the subject's prefix in brackets, else the severity."""
    prefix = _PREFIX.match(content.subject)
    if prefix and content.headline:
        return prefix[1]
    return (tone(content) or "").upper()


def labeled_values(
    card: Card, shorten: Callable[[str], str], reserved: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Return the facts and tiles with unique labels, none of which is reserved."""
    tiles = ((tile.label, f"{tile.value} {tile.change}".strip()) for tile in card.tiles)
    used = set(reserved)
    pairs: list[tuple[str, str]] = []
    for label, value in (*((fact.label, fact.value) for fact in card.facts), *tiles):
        short = shorten(label)
        numbered_email = (f"{short} ({number})" for number in count(2))
        unique = next(each for each in chain([short], numbered_email) if each not in used)
        used.add(unique)
        pairs.append((unique, value))
    return pairs


def _first(entries: tuple[T, ...], limit: int, more: Callable[[str], T]) -> tuple[T, ...]:
    """Return the first entries, and one with the number of omitted ones."""
    if len(entries) <= limit:
        return entries
    return (*entries[:limit], more(f"… and {len(entries) - limit} more"))
