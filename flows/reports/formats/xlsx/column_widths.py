"""Compute the column_widths of a sheet's columns from its first rows.

Reads nothing, writes nothing.
"""

import re
from collections.abc import Sequence

from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind

SAMPLED_ROWS = 200
MIN_WIDTH, MAX_WIDTH = 8.0, 60.0
_FIXED_WIDTHS = {
    ColumnKind.DATE: 12.0,
    ColumnKind.TIMESTAMP: 20.0,
    ColumnKind.INSTANT: 20.0,
    ColumnKind.TIME: 10.0,
}
_CELL = re.compile(rb"<c[^>]*?(?:/>|>(.*?)</c>)")
_TAG_OR_ENTITY = re.compile(r"<[^>]*>|&(#?\w+);")
_FILTER_BUTTON = 3.0
_MARGIN = 1.5
_MAX_DIGITS = 17
_GROUPING = 4 / 3  # thousands separators


def column_widths(columns: Sequence[Column], rows: bytes) -> list[float]:
    """Return the column_widths in characters; ``rows`` is XML, one row per line."""
    longest = [0] * len(columns)
    for row in rows.split(b"\n", SAMPLED_ROWS)[:SAMPLED_ROWS]:
        for number, content in enumerate(_CELL.findall(row)[: len(columns)]):
            longest[number] = max(longest[number], _length(content))
    return [_width(column, length) for column, length in zip(columns, longest, strict=True)]


def _length(content: bytes) -> int:
    text = _TAG_OR_ENTITY.sub(lambda tag: "x" if tag[1] else "", content.decode(errors="ignore"))
    return len(text)


def _width(column: Column, length: int) -> float:
    if column.kind in NUMBERS:
        length = min(length, _MAX_DIGITS)
    width = _FIXED_WIDTHS.get(column.kind, length + _MARGIN)
    if column.kind is ColumnKind.NUMERIC and column.scale is not None:
        width = length * _GROUPING + _MARGIN
    return min(MAX_WIDTH, max(MIN_WIDTH, width, len(column.name) + _FILTER_BUTTON))
