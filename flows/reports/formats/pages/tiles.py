"""The texts of a tile: its number, and its change as arrow, sign and color.

Reads nothing, writes nothing.
"""

from dataclasses import dataclass
from typing import Literal

from flows.reports.formats.charts.axis import MINUS, number_text
from flows.reports.formats.pages.cell_text import EMPTY_CELL
from flows.reports.formats.pages.document import Tile

Tone = Literal["good", "bad", "flat"]
_PERCENT = 100
_MAX_PERCENT = 1000  # greater changes are shown as a multiple


@dataclass(frozen=True)
class TileTexts:
    """The texts of a tile."""

    title: str
    value: str
    unit: str
    """After the number; a currency's sign or % is part of the value."""
    change: str
    previous: str
    tone: Tone


def tile_texts(tile: Tile) -> TileTexts:
    """Return the texts of a tile."""
    value, unit = _parts(tile)
    if tile.value is None or tile.previous is None:
        return TileTexts(tile.title, value, unit, "", "", "flat")
    difference = _difference(tile, float(tile.value), float(tile.previous))
    previous = f"before: {_text(tile, tile.previous)}"
    if _text(tile, tile.value) == _text(tile, tile.previous):
        return TileTexts(tile.title, value, unit, "= unchanged", previous, "flat")
    arrow, sign = ("\u25b2", "+") if difference > 0 else ("\u25bc", MINUS)
    return TileTexts(
        tile.title,
        value,
        unit,
        f"{arrow} {sign}{_size(tile, difference)}",
        previous,
        _tone(tile, difference),
    )


def _difference(tile: Tile, value: float, previous: float) -> float:
    """Return the change; in points, between the rounded numbers."""
    if tile.unit == "%":
        return round(value, tile.decimals) - round(previous, tile.decimals)
    return value - previous


def _parts(tile: Tile) -> tuple[str, str]:
    """Return the number, and its unit if that is a word."""
    number, _, unit = _text(tile, tile.value).partition("\u00a0")
    return number, unit


def _text(tile: Tile, value: object) -> str:
    if value is None:
        return EMPTY_CELL
    return number_text(value, tile.decimals, tile.unit)  # pyright: ignore[reportArgumentType]  # a Number


def _size(tile: Tile, difference: float) -> str:
    """Return the size of a change: in points for percentages, else in percent of the previous value."""
    size = abs(difference)
    if tile.unit == "%":
        return f"{size:,.{max(tile.decimals, 1)}f} points"
    previous = abs(float(tile.previous or 0))
    if not previous:
        return number_text(size, tile.decimals, tile.unit)
    share = size / previous * _PERCENT
    return f"{share:,.1f}%" if share < _MAX_PERCENT else f"{share / _PERCENT:,.0f}\u00d7"


def _tone(tile: Tile, difference: float) -> Tone:
    if tile.better == "neither":
        return "flat"
    return "good" if (difference > 0) == (tile.better == "up") else "bad"
