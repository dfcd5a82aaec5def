"""Columns of a query: names that a file can have, and what each of them holds.

Reads nothing, writes nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

MOST_DIGITS = 1000  # of a declared precision; the driver reports nonsense for an undeclared one
LONGEST_NAME_BYTES = 63  # PostgreSQL cuts longer identifiers


class Kind(Enum):
    """What the cells of a column are, as far as files care."""

    INTEGER = "integer"
    FLOAT = "float"
    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"
    INSTANT = "instant"  # timestamp with time zone
    TIME = "time"
    SAFE = "safe"  # text that the server makes: uuid, bytea, interval, jsonb
    TEXT = "text"
    JSON = "json"  # as its author typed it, whitespace included
    OTHER = "other"  # enums, arrays, ranges, composites: text that may hold anything


_KINDS = {
    **dict.fromkeys((20, 21, 23, 26), Kind.INTEGER),
    **dict.fromkeys((700, 701), Kind.FLOAT),
    1700: Kind.NUMERIC,
    16: Kind.BOOLEAN,
    1082: Kind.DATE,
    1114: Kind.TIMESTAMP,
    1184: Kind.INSTANT,
    1083: Kind.TIME,
    **dict.fromkeys((1266, 1186, 790, 2950, 17, 3802), Kind.SAFE),
    **dict.fromkeys((25, 1042, 1043, 18, 19, 705), Kind.TEXT),
    114: Kind.JSON,
}
TEXTS = frozenset({Kind.TEXT, Kind.JSON, Kind.OTHER})
NUMBERS = frozenset({Kind.INTEGER, Kind.FLOAT, Kind.NUMERIC})
DAYS = frozenset({Kind.DATE, Kind.TIMESTAMP, Kind.INSTANT})


@dataclass(frozen=True)
class Column:
    """One column of a result.

    ``precision`` and ``scale`` are those of ``numeric(precision, scale)``, if it was declared.
    """

    name: str
    kind: Kind
    precision: int | None = None
    scale: int | None = None


def columns_of(description: Iterable[tuple[object, ...]]) -> tuple[Column, ...]:
    """Columns as the driver describes a result, each name once."""
    found = [tuple(entry) for entry in description]
    names = distinct([str(entry[0]) for entry in found])
    return tuple(_column(name, entry) for name, entry in zip(names, found, strict=True))


def _column(name: str, entry: Sequence[object]) -> Column:
    kind = _KINDS.get(int(str(entry[1])), Kind.OTHER)
    precision, scale = entry[4], entry[5]
    if kind is not Kind.NUMERIC or not isinstance(precision, int) or precision > MOST_DIGITS:
        return Column(name, kind)
    return Column(name, kind, precision, scale if isinstance(scale, int) else 0)


def distinct(names: Sequence[str]) -> list[str]:
    """The names, with a number behind those that were there before: ``n``, ``n_2``."""
    taken: set[str] = set()
    made: list[str] = []
    for name in names:
        candidate, number = name, 1
        while candidate in taken or (number > 1 and candidate in names):
            number += 1
            candidate = f"{_shortened(name, f'_{number}')}_{number}"
        taken.add(candidate)
        made.append(candidate)
    return made


def _shortened(name: str, suffix: str) -> str:
    return name.encode()[: LONGEST_NAME_BYTES - len(suffix)].decode(errors="ignore")
