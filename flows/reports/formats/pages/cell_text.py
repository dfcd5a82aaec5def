"""Values as people read them in a table: aligned, rounded alike within a column, never empty.

Reads nothing, writes nothing.
"""

import json
import math
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from flows.reports.formats.charts.axis import number_text
from flows.reports.formats.query.columns import NUMBERS, Column, Kind
from flows.reports.formats.query.fetch import Found

LONGEST_TEXT = 400
NOTHING = "\u2013"
_MOST_DECIMALS = 2
_NO_GROUPS = ("id", "year", "number", "code", "zip")


def size_text(size: int) -> str:
    """``12.3 kB``, ``1.2 MB``: in steps of 1024, as mail clients show it."""
    kilobytes = size / 1024
    if kilobytes < 1024:  # noqa: PLR2004  # to megabytes
        return f"{max(kilobytes, 0.1):,.1f} kB"
    return f"{kilobytes / 1024:,.1f} MB"


def heading(name: str) -> str:
    """``deals_won`` as ``Deals won``."""
    words = " ".join(name.replace("_", " ").split())
    return words[:1].upper() + words[1:] if words.islower() else words or name


def cells(found: Found) -> tuple[list[list[str]], int]:
    """The rows as texts, and how many of those were shortened."""
    columns = [
        _column_texts(column, [row[place] for row in found.rows])
        for place, column in enumerate(found.columns)
    ]
    long = sum(len(text) > LONGEST_TEXT for column in columns for text in column)
    rows = [[_shortened(text) for text in row] for row in zip(*columns, strict=True)]
    return rows, long


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 1]}\u2026"


def _column_texts(column: Column, values: Sequence[Any]) -> list[str]:
    if column.kind in NUMBERS:
        return _number_texts(column, values)
    return [NOTHING if value is None else _plain(value) for value in values]


def _number_texts(column: Column, values: Sequence[Any]) -> list[str]:
    if column.kind is Kind.INTEGER:
        last_word = column.name.lower().replace("_", " ").split()[-1:]
        plain = bool(last_word) and last_word[0] in _NO_GROUPS
        return [NOTHING if v is None else (str(v) if plain else number_text(v)) for v in values]
    decimals = min(column.scale if column.scale is not None else _needed(values), 6)
    return [NOTHING if value is None else number_text(value, max(decimals, 0)) for value in values]


def _needed(values: Sequence[Any]) -> int:
    """Decimals that the column needs, two at most unless all its values are small."""
    finite = [abs(float(v)) for v in values if v is not None and math.isfinite(v)]
    greatest = max(finite, default=0.0)
    most = _MOST_DECIMALS if greatest >= 1 or not greatest else 2 - math.floor(math.log10(greatest))
    most = min(most, 6)
    for decimals in range(most):
        if all(abs(value - round(value, decimals)) < 10.0 ** -(most + 3) for value in finite):
            return decimals
    return most


def _plain(value: Any) -> str:
    match value:
        case bool():
            text = "yes" if value else "no"
        case datetime():
            text = value.strftime("%Y-%m-%d %H:%M:%S" if value.second else "%Y-%m-%d %H:%M")
        case date() | time():
            text = value.isoformat()
        case memoryview() | bytes():
            text = "0x" + bytes(value).hex()
        case list() | dict():
            text = json.dumps(value, ensure_ascii=False, default=str)
        case _:
            text = str(value)
    return text
