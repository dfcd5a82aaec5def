"""A report as a page for people: plain values that `render_html` draws.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from flows.reports.formats.query.columns import NUMBERS
from flows.reports.formats.query.fetch import Found
from flows.reports.formats.registry import FormatError

Number = int | float | Decimal
ChartKind = Literal["bar", "line", "stacked"]
Better = Literal["up", "down", "neither"]


@dataclass(frozen=True)
class Tile:
    """A number that matters, and what it was in the period before."""

    title: str
    value: Number | None
    previous: Number | None = None
    unit: str = ""
    decimals: int = 0
    better: Better = "up"


@dataclass(frozen=True)
class Series:
    """One line of a chart, or its bars of one color; None where there is no value."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """A picture of numbers; it is drawn with the words that say what it shows."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: ChartKind = "bar"
    unit: str = ""


@dataclass(frozen=True)
class File:
    """A file that belongs to the page: attached, or behind a link."""

    name: str
    size: int
    rows: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class Document:
    """All that a page shows.

    Attributes:
        data_as_of: When its numbers were true, with the time zone.
        tables: Rows that fit on a page; `Found.truncated` is said below the table.
        notes: Sentences below everything, such as what was cut.
        warnings: Sentences above everything: what its readers must know first.
    """

    title: str
    data_as_of: str
    period: str = ""
    description: str = ""
    tiles: Sequence[Tile] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Found] = ()
    files: Sequence[File] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    owner: str = ""


def chart_of(found: Found, kind: ChartKind = "bar", unit: str = "") -> Chart:
    """A chart of rows: the first column along the bottom, a series for each number column.

    Raises:
        FormatError: there is no column of numbers behind the first one.
    """
    places = [n for n, column in enumerate(found.columns) if n and column.kind in NUMBERS]
    if not places:
        raise FormatError(
            f"{found.title}: a chart needs labels in its first column and numbers in others"
        )
    labels = [_label(row[0]) for row in found.rows]
    series = [
        Series(found.columns[place].name, [_number(row[place]) for row in found.rows])
        for place in places
    ]
    return Chart(found.title, labels, series, kind, unit)


def _label(value: Any) -> str:
    return "" if value is None else str(value)


def _number(value: Any) -> float | None:
    number = None if value is None else float(value)
    finite = number is not None and abs(number) < float("inf")  # NaN is not below anything
    return number if finite else None
