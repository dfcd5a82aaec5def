"""Columns of a query: unique names, and the kind of their values.

Reads nothing, writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from psycopg2 import sql

from analytics_worker.database.server_values import INTERVAL
from flows.reports.formats.query.column_options import NO_OPTIONS, ColumnOptions

MAX_PRECISION = 1000  # of a declared numeric; the driver reports more for an undeclared one
_SCALE_SIGN = 1 << 10  # the highest of eleven bits
MAX_NAME_BYTES = 63  # PostgreSQL truncates longer identifiers


class ColumnKind(Enum):
    """Kind of a column's values, as far as the formats distinguish them."""

    INTEGER = "integer"
    FLOAT = "float"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"  # timestamp with time zone
    TIME = "time"
    MONEY = "money"
    SAFE = "safe"  # text that the server formats: uuid, bytea, interval, jsonb
    TEXT = "text"
    JSON = "json"  # as its author typed it, whitespace included
    OTHER = "other"  # char(n), inet, enums, arrays, ranges, composites: text that may hold anything


_KINDS = {
    **dict.fromkeys((20, 21, 23, 26), ColumnKind.INTEGER),
    **dict.fromkeys((700, 701), ColumnKind.FLOAT),
    1700: ColumnKind.NUMERIC,
    16: ColumnKind.BOOLEAN,
    1082: ColumnKind.DATE,
    1114: ColumnKind.TIMESTAMP,
    1184: ColumnKind.INSTANT,
    1083: ColumnKind.TIME,
    790: ColumnKind.MONEY,
    **dict.fromkeys((1266, 1186, 2950, 17, 3802), ColumnKind.SAFE),
    **dict.fromkeys((25, 1043), ColumnKind.TEXT),
    114: ColumnKind.JSON,
}
TEXTS = frozenset({ColumnKind.TEXT, ColumnKind.JSON, ColumnKind.OTHER})
NUMBERS = frozenset({ColumnKind.INTEGER, ColumnKind.FLOAT, ColumnKind.NUMERIC})
DAYS = frozenset({ColumnKind.DATE, ColumnKind.TIMESTAMP, ColumnKind.INSTANT})


@dataclass(frozen=True)
class Column:
    """One column of a result.

    ``precision`` and ``scale`` are those of ``numeric(precision, scale)``, if it was declared.
    """

    name: str
    kind: ColumnKind
    precision: int | None = None
    scale: int | None = None
    options: ColumnOptions = NO_OPTIONS
    is_interval: bool = False


def printed_text(cell: sql.Composable, kind: ColumnKind) -> sql.Composable:
    """Return SQL for a cell as the text that the server prints.

    A cast to text is something else for some types: it strips the padding of ``char(5)``, and adds ``/32``
    to an ``inet``. ``is null`` is something else for composites: it is true if all fields are null.
    """
    if kind is ColumnKind.TEXT:
        return cell
    if kind is ColumnKind.OTHER:
        return sql.SQL("case when num_nulls({}) = 0 then concat({}) end").format(cell, cell)
    return sql.SQL("{}::text").format(cell)


def columns_of(description: Iterable[tuple[object, ...]]) -> tuple[Column, ...]:
    """Return the columns of a result that the driver describes, with unique names."""
    entries = [tuple(entry) for entry in description]
    names = unique_names([str(entry[0]) for entry in entries])
    return tuple(_column(name, entry) for name, entry in zip(names, entries, strict=True))


def _column(name: str, entry: Sequence[object]) -> Column:
    kind = _KINDS.get(int(str(entry[1])), ColumnKind.OTHER)
    precision, scale = entry[4], entry[5]
    if (
        kind is not ColumnKind.NUMERIC
        or not isinstance(precision, int)
        or precision > MAX_PRECISION
    ):
        return Column(name, kind, is_interval=int(str(entry[1])) == INTERVAL)
    return Column(name, kind, precision, _signed(scale) if isinstance(scale, int) else 0)


def _signed(scale: int) -> int:
    """Return a scale that the driver read without its sign: ``numeric(4, -2)`` has 2046."""
    return (scale ^ _SCALE_SIGN) - _SCALE_SIGN


def unique_names(names: Sequence[str]) -> list[str]:
    """Return the names, with a number appended to repeated ones: ``n``, ``n_2``."""
    used: set[str] = set()
    unique: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in used or (number > 1 and candidate in names):
            number += 1
            candidate = f"{_shortened(name, f'_{number}')}_{number}"
        used.add(candidate)
        unique.append(candidate)
    return unique


def _shortened(name: str, suffix: str) -> str:
    return name.encode()[: MAX_NAME_BYTES - len(suffix)].decode(errors="ignore")
