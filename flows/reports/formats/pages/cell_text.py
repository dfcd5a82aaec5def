"""Values of a table as text for readers: numbers rounded alike within a column, never empty.

Everything that is no number is the text that the server prints, except that booleans are yes and no, and
times of whole minutes have no seconds. Reads nothing, writes nothing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal

from flows.reports.formats.charts.axis import number_text, rounded
from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows

MAX_TEXT_LENGTH = 400
EMPTY_CELL = "\u2013"
_MAX_DECIMALS = 2
_MAX_SMALL_DECIMALS = 6
_YES_OR_NO = {"t": "yes", "f": "no"}
_MINUTE = re.compile(r"(\d{4,}-\d\d-\d\d \d\d:\d\d)(:\d\d(?:\.\d+)?)(?:[+-]\d\d(?::\d\d)*)?")
"""A time as the server prints it: its minute, its seconds, its offset, which is that of the report."""

_MEASURE_WORDS = frozenset(
    [
        "amount",
        "amounts",
        "average",
        "avg",
        "balance",
        "budget",
        "cost",
        "costs",
        "count",
        "counts",
        "max",
        "mean",
        "median",
        "min",
        "price",
        "prices",
        "quantity",
        "revenue",
        "sales",
        "sum",
        "sums",
        "total",
        "totals",
        "value",
        "values",
        "volume",
    ]
)
"""Words in the name of a column of quantities."""


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


def _column_texts(column: Column, values: Sequence[str | None]) -> list[str]:
    if column.kind in NUMBERS:
        return _number_texts(column, values)
    return [EMPTY_CELL if value is None else value_text(column, value) for value in values]


def value_text(column: Column, value: str) -> str:
    """Return a value that is no number as text for readers."""
    if column.kind is ColumnKind.BOOLEAN:
        return _YES_OR_NO.get(value, value)
    if column.kind in {ColumnKind.TIMESTAMP, ColumnKind.INSTANT} and (
        time := _MINUTE.fullmatch(value)
    ):
        return time[1] if time[2] == ":00" else time[1] + time[2]
    return value


def _number_texts(column: Column, values: Sequence[str | None]) -> list[str]:
    numbers = [None if value is None else Decimal(value) for value in values]
    decimals = _decimals(
        column, [each for each in numbers if each is not None and each.is_finite()]
    )
    is_grouped = bool(decimals) or is_measure(column)
    exact = column.kind is not ColumnKind.FLOAT
    return [
        EMPTY_CELL
        if number is None
        else number_text(number, decimals, is_grouped=is_grouped, is_exact=exact)
        for number in numbers
    ]


def is_measure(column: Column) -> bool:
    """Return whether whole numbers of a column are quantities, and not numbers of phones or accounts."""
    return not _MEASURE_WORDS.isdisjoint(re.split(r"[^a-z]+", column.name.lower()))


def _decimals(column: Column, numbers: Sequence[Decimal]) -> int:
    if column.kind is ColumnKind.INTEGER:
        return 0
    declared = _needed_decimals(numbers) if column.scale is None else column.scale
    return max(0, min(declared, _MAX_SMALL_DECIMALS))


def _needed_decimals(numbers: Sequence[Decimal]) -> int:
    """Return the decimals that a column needs, at most two unless all its values are small."""
    largest = max(map(abs, numbers), default=Decimal(0))
    limit = _MAX_DECIMALS if largest >= 1 or not largest else 2 - largest.adjusted()
    limit = min(limit, _MAX_SMALL_DECIMALS)
    negligible = Decimal(1).scaleb(-limit - 3)
    for decimals in range(limit):
        if all(abs(each - rounded(each, decimals)) < negligible for each in numbers):
            return decimals
    return limit
