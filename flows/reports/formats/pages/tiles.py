"""The texts of a tile: its number, and its change as arrow, sign and color.

Reads nothing, writes nothing.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from analytics_worker.presentation.exact_numbers import (
    MAX_SHOWN_DIGITS,
    decimal_of,
    exact_text,
)
from analytics_worker.presentation.numbers import MINUS, number_text, rounded, with_unit
from flows.reports.formats.pages.cell_text import EMPTY_CELL
from flows.reports.formats.pages.document import Number, Tile

Tone = Literal["good", "bad", "flat"]
_MIN_MULTIPLE = 10  # lesser changes are shown in percent
_MAX_MULTIPLE = 1_000_000


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
    if tile.incomplete:
        return TileTexts(tile.title, EMPTY_CELL, "", tile.incomplete, "", "flat")
    value, unit = _parts(tile)
    if not (_is_finite(tile.value) and _is_finite(tile.previous)):
        return TileTexts(tile.title, value, unit, "", "", "flat")
    difference = _difference(tile, _decimal(tile.value), _decimal(tile.previous))
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


def _is_finite(value: Number | None) -> bool:
    return value is not None and decimal_of(value).is_finite()


def _decimal(value: Number | None) -> Decimal:
    return Decimal(str(value or 0))


def _difference(tile: Tile, value: Decimal, previous: Decimal) -> Decimal:
    """Return the change; in points, between the rounded numbers."""
    if tile.unit == "%":
        return rounded(value, tile.decimals) - rounded(previous, tile.decimals)
    return value - previous


def _parts(tile: Tile) -> tuple[str, str]:
    """Return the number, and its unit if that is a word."""
    number, _, unit = _text(tile, tile.value).partition("\u00a0")
    return number, unit


def _text(tile: Tile, value: object) -> str:
    if value is None:
        return EMPTY_CELL
    return _digits(decimal_of(value), tile.decimals, tile.unit)  # pyright: ignore[reportArgumentType]  # a Number


def _digits(number: Decimal, decimals: int, unit: str) -> str:
    """Return a number with its digits; in powers of ten if it has too many to read."""
    if number.is_finite() and number.adjusted() >= MAX_SHOWN_DIGITS:
        return with_unit(exact_text(number), unit)
    return number_text(number, decimals, unit)


def _size(tile: Tile, difference: Decimal) -> str:
    """Return the size of a change: in points for percentages, else in percent of the previous value."""
    size = abs(difference)
    if tile.unit == "%":
        return f"{_digits(size, max(tile.decimals, 1), '')} points"
    previous = abs(_decimal(tile.previous))
    if not previous:
        return _digits(size, tile.decimals, tile.unit)
    share = size / previous
    if share >= _MAX_MULTIPLE:
        return f"more than {_MAX_MULTIPLE:,}\u00d7"
    if share >= _MIN_MULTIPLE:
        return f"{number_text(share)}\u00d7"
    return number_text(share * 100, 1, "%")


def _tone(tile: Tile, difference: Decimal) -> Tone:
    if tile.better == "neither":
        return "flat"
    return "good" if (difference > 0) == (tile.better == "up") else "bad"
