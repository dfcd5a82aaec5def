"""Values of a table as text for readers: numbers rounded alike within a column, never empty.

Everything that is no number is the text that the server prints, except that booleans are yes and no, and
times of whole minutes have no seconds. Reads nothing, writes nothing.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

from analytics_worker.presentation.numbers import (
    ALL_DIGITS,
    MAX_DECIMALS,
    needed_decimals,
    number_text,
)
from analytics_worker.text import printable
from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows

MAX_TEXT_LENGTH = 400
EMPTY_CELL = "\u2013"
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


class TableTexts(NamedTuple):
    """The texts of a table: its rows, its totals, and how many texts were shortened."""

    rows: list[list[str]]
    totals: list[str] | None
    shortened: int


def shown_indexes(columns: Sequence[Column]) -> list[int]:
    """Return the positions of the columns that readers see."""
    return [index for index, column in enumerate(columns) if not column.options.hidden]


def heading_text(column: Column) -> str:
    """Return the title of a column, with its unit if that is a word."""
    title = column.options.title or column_heading(column.name)
    unit = column.options.unit_of_heading
    return printable(f"{title} ({unit})" if unit else title)


def table_texts(fetched: FetchedRows) -> TableTexts:
    """Return the rows and totals as texts, with all columns."""
    totals: list[str] = []
    columns: list[list[str]] = []
    for index, column in enumerate(fetched.columns):
        total = fetched.totals[index] if fetched.totals else None
        texts = _column_texts(column, [row[index] for row in fetched.rows], total)
        no_sum = EMPTY_CELL if column.options.total else ""
        totals.append(no_sum if total is None else texts.pop())
        columns.append(texts)
    shortened = sum(len(text) > MAX_TEXT_LENGTH for column in columns for text in column)
    rows = [[_shorten(text) for text in row] for row in zip(*columns, strict=True)]
    return TableTexts(rows, totals if fetched.totals else None, shortened)


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT_LENGTH else f"{text[: MAX_TEXT_LENGTH - 1]}\u2026"


def _column_texts(column: Column, values: Sequence[str | None], total: str | None) -> list[str]:
    """Return the texts of a column, and after them that of its total, if it has one."""
    if column.kind in NUMBERS:
        return _number_texts(column, values, total)
    return [EMPTY_CELL if value is None else value_text(column, value) for value in values]


def value_text(column: Column, value: str) -> str:
    """Return a value that is no number as text for readers."""
    if column.options.date:
        return column.options.date_text(value)
    if column.kind is ColumnKind.BOOLEAN:
        return _YES_OR_NO.get(value, value)
    if column.kind in {ColumnKind.TIMESTAMP, ColumnKind.INSTANT} and (
        time := _MINUTE.fullmatch(value)
    ):
        return time[1] if time[2] == ":00" else time[1] + time[2]
    return value


def _number_texts(column: Column, values: Sequence[str | None], total: str | None) -> list[str]:
    numbers = [None if value is None else _number(column, value) for value in values]
    decimals = _decimals(
        column, [each for each in numbers if each is not None and each.is_finite()]
    )
    if total is not None:
        numbers.append(_number(column, total))
    return [
        EMPTY_CELL if number is None else _number_text(column, number, decimals)
        for number in numbers
    ]


def _number(column: Column, value: str) -> Decimal:
    """Return a number, of a share in percent."""
    return Decimal(value).scaleb(2, ALL_DIGITS) if column.options.percent else Decimal(value)


def _number_text(column: Column, number: Decimal, decimals: int) -> str:
    return number_text(
        number,
        decimals,
        column.options.unit_of_values,
        is_grouped=bool(decimals) or is_measure(column),
        is_exact=column.kind is not ColumnKind.FLOAT,
    )


def is_measure(column: Column) -> bool:
    """Return whether whole numbers of a column are quantities, and not numbers of phones or accounts."""
    words = re.split(r"[^a-z]+", column.name.lower())
    return column.options.is_measure or not _MEASURE_WORDS.isdisjoint(words)


def _decimals(column: Column, numbers: Sequence[Decimal]) -> int:
    if column.options.decimals is not None:
        return column.options.decimals
    if column.options.percent:
        return needed_decimals(numbers)
    if column.kind is ColumnKind.INTEGER:
        return 0
    declared = needed_decimals(numbers) if column.scale is None else column.scale
    return max(0, min(declared, MAX_DECIMALS))
