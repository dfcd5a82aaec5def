"""Values of a table as text for readers: rounded alike within a column, never empty.

Reads nothing, writes nothing.
"""

import json
import math
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import Any

from flows.reports.formats.charts.axis import number_text
from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows

MAX_TEXT_LENGTH = 400
EMPTY_CELL = "\u2013"
_MAX_DECIMALS = 2
_UNGROUPED_NAMES = ("id", "year", "number", "code", "zip")


def size_text(size: int) -> str:
    """Return ``12.3 kB``, ``1.2 MB``: in steps of 1024, as email clients do."""
    kilobytes = size / 1024
    if kilobytes < 1024:  # noqa: PLR2004  # to megabytes
        return f"{max(kilobytes, 0.1):,.1f} kB"
    return f"{kilobytes / 1024:,.1f} MB"


def column_heading(name: str) -> str:
    """Return ``deals_won`` as ``Deals won``."""
    label = " ".join(name.replace("_", " ").split())
    return label[:1].upper() + label[1:] if label.islower() else label or name


def cell_texts(fetched: FetchedRows) -> tuple[list[list[str]], int]:
    """Return the rows as texts, and how many texts were shortened."""
    columns = [
        _column_texts(column, [row[index] for row in fetched.rows])
        for index, column in enumerate(fetched.columns)
    ]
    shortened = sum(len(text) > MAX_TEXT_LENGTH for column in columns for text in column)
    rows = [[_shorten(text) for text in row] for row in zip(*columns, strict=True)]
    return rows, shortened


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT_LENGTH else f"{text[: MAX_TEXT_LENGTH - 1]}\u2026"


def _column_texts(column: Column, values: Sequence[Any]) -> list[str]:
    if column.kind in NUMBERS:
        return _number_texts(column, values)
    return [EMPTY_CELL if value is None else _value_text(value) for value in values]


def _number_texts(column: Column, values: Sequence[Any]) -> list[str]:
    if column.kind is ColumnKind.INTEGER:
        last_word = column.name.lower().replace("_", " ").split()[-1:]
        plain = bool(last_word) and last_word[0] in _UNGROUPED_NAMES
        return [EMPTY_CELL if v is None else (str(v) if plain else number_text(v)) for v in values]
    decimals = min(column.scale if column.scale is not None else _needed_decimals(values), 6)
    return [
        EMPTY_CELL if value is None else number_text(value, max(decimals, 0)) for value in values
    ]


def _needed_decimals(values: Sequence[Any]) -> int:
    """Return the decimals that a column needs, at most two unless all its values are small."""
    finite = [abs(float(v)) for v in values if v is not None and math.isfinite(v)]
    largest = max(finite, default=0.0)
    limit = _MAX_DECIMALS if largest >= 1 or not largest else 2 - math.floor(math.log10(largest))
    limit = min(limit, 6)
    for decimals in range(limit):
        if all(abs(value - round(value, decimals)) < 10.0 ** -(limit + 3) for value in finite):
            return decimals
    return limit


def _value_text(value: Any) -> str:
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
