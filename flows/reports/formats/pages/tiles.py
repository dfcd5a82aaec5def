"""What a tile says: its number, and how it changed, told by arrow, sign and color.

Reads nothing, writes nothing.
"""

from dataclasses import dataclass
from typing import Literal

from flows.reports.formats.charts.axis import MINUS, number_text
from flows.reports.formats.pages.cell_text import NOTHING
from flows.reports.formats.pages.document import Tile

Tone = Literal["good", "bad", "flat"]
_WHOLE = 100
_MANY = 1000  # per cent and more are told as a multiple


@dataclass(frozen=True)
class Shown:
    """Texts of a tile."""

    title: str
    value: str
    unit: str
    """Behind the number; a currency's sign or % is part of it."""
    change: str
    before: str
    tone: Tone


def shown(tile: Tile) -> Shown:
    """The tile in words."""
    value, unit = _parts(tile)
    if tile.value is None or tile.previous is None:
        return Shown(tile.title, value, unit, "", "", "flat")
    difference = _difference(tile, float(tile.value), float(tile.previous))
    before = f"before: {_text(tile, tile.previous)}"
    if _text(tile, tile.value) == _text(tile, tile.previous):
        return Shown(tile.title, value, unit, "= unchanged", before, "flat")
    arrow, sign = ("\u25b2", "+") if difference > 0 else ("\u25bc", MINUS)
    return Shown(
        tile.title,
        value,
        unit,
        f"{arrow} {sign}{_size(tile, difference)}",
        before,
        _tone(tile, difference),
    )


def _difference(tile: Tile, value: float, previous: float) -> float:
    """Points are those between the numbers that are shown."""
    if tile.unit == "%":
        return round(value, tile.decimals) - round(previous, tile.decimals)
    return value - previous


def _parts(tile: Tile) -> tuple[str, str]:
    """The number as it is read, and its unit if that is a word."""
    number, _, unit = _text(tile, tile.value).partition("\u00a0")
    return number, unit


def _text(tile: Tile, value: object) -> str:
    if value is None:
        return NOTHING
    return number_text(value, tile.decimals, tile.unit)  # pyright: ignore[reportArgumentType]  # a Number


def _size(tile: Tile, difference: float) -> str:
    """Percentages change by points, everything else by per cent of what it was."""
    size = abs(difference)
    if tile.unit == "%":
        return f"{size:,.{max(tile.decimals, 1)}f} points"
    before = abs(float(tile.previous or 0))
    if not before:
        return number_text(size, tile.decimals, tile.unit)
    share = size / before * _WHOLE
    return f"{share:,.1f}%" if share < _MANY else f"{share / _WHOLE:,.0f}\u00d7"


def _tone(tile: Tile, difference: float) -> Tone:
    if tile.better == "neither":
        return "flat"
    return "good" if (difference > 0) == (tile.better == "up") else "bad"
