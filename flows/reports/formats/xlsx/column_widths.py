"""How wide the columns of a sheet are, by what their first rows hold.

Reads nothing, writes nothing.
"""

import re
from collections.abc import Sequence

from flows.reports.formats.query.columns import NUMBERS, Column, Kind

SAMPLED_ROWS = 200
NARROWEST, WIDEST = 8.0, 60.0
_FIXED = {Kind.DATE: 12.0, Kind.TIMESTAMP: 20.0, Kind.INSTANT: 20.0, Kind.TIME: 10.0}
_CELL = re.compile(rb"<c[^>]*?(?:/>|>(.*?)</c>)")
_TAG_OR_ENTITY = re.compile(r"<[^>]*>|&(#?\w+);")
_FILTER_BUTTON = 3.0
_MARGIN = 1.5
_MOST_DIGITS = 17
_GROUPING = 4 / 3  # thousands separators


def widths(columns: Sequence[Column], rows: bytes) -> list[float]:
    """Widths in characters; ``rows`` is XML, a row a line."""
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
        length = min(length, _MOST_DIGITS)
    cells = _FIXED.get(column.kind, length + _MARGIN)
    if column.kind is Kind.NUMERIC and column.scale is not None:
        cells = length * _GROUPING + _MARGIN
    return min(WIDEST, max(NARROWEST, cells, len(column.name) + _FILTER_BUTTON))
