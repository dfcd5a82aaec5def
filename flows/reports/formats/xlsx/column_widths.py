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
_DATE_MARGIN = 4.0  # names of months are longer than their code
_TOTAL_DIGITS = 4  # that a sum has more than its parts
_MAX_DIGITS = 17
_GROUPING = 4 / 3  # thousands separators


def column_widths(columns: Sequence[Column], headings: Sequence[str], rows: bytes) -> list[float]:
    """Return the widths in characters; ``rows`` is XML, one row per line."""
    longest = [0] * len(columns)
    for row in rows.split(b"\n", SAMPLED_ROWS)[:SAMPLED_ROWS]:
        for number, content in enumerate(_CELL.findall(row)[: len(columns)]):
            longest[number] = max(longest[number], _length(content))
    parts = zip(columns, headings, longest, strict=True)
    return [_width(column, heading, length) for column, heading, length in parts]


def _length(content: bytes) -> int:
    text = _TAG_OR_ENTITY.sub(lambda tag: "x" if tag[1] else "", content.decode(errors="ignore"))
    return len(text)


def _width(column: Column, heading: str, length: int) -> float:
    options = column.options
    if column.kind in NUMBERS:
        length = min(length, _MAX_DIGITS)
    width = _FIXED_WIDTHS.get(column.kind, length + _MARGIN)
    if options.date:
        width = len(options.date) + _DATE_MARGIN
    if options.is_measure or (column.kind is ColumnKind.NUMERIC and column.scale is not None):
        width = length * _GROUPING + _MARGIN + (options.decimals or 0)
        width += len(options.unit_of_values) + (_TOTAL_DIGITS if options.total else 0)
    return min(MAX_WIDTH, max(MIN_WIDTH, width, len(heading) + _FILTER_BUTTON))
