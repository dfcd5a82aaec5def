"""The page of a report as plain values, which `render_html` renders.

Reads nothing, writes nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Literal

from analytics_worker.text import printable, value_line
from analytics_worker.trust.state import TrustState
from flows.reports.formats.pages.cell_text import value_text
from flows.reports.formats.query.columns import DAYS, NUMBERS, Column
from flows.reports.formats.query.fetch import FetchedRows
from flows.reports.formats.registry import FormatError

Number = int | float | Decimal
ChartKind = Literal["bar", "line", "stacked"]
Better = Literal["up", "down", "neither"]
MAX_LABEL_LENGTH = 200
_MIDNIGHT = " 00:00"
_NO_XML = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True)
class Tile:
    """A number at the top of the page, and its value in the previous period."""

    title: str
    value: Number | None
    previous: Number | None = None
    unit: str = ""
    decimals: int = 0
    better: Better = "up"
    incomplete: str = ""
    """Why it has no number: until when the data of its period is there."""
    is_approximate: bool = False
    """Whether the number is in double precision."""
    is_first_of_several: bool = False
    """Whether the SQL returned several rows."""


@dataclass(frozen=True)
class Series:
    """One line of a chart, or its bars of one color; None where there is no value."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Chart:
    """A chart with its title, labels and series."""

    title: str
    labels: Sequence[str]
    series: Sequence[Series]
    kind: ChartKind = "bar"
    unit: str = ""
    incomplete: str = ""
    """Until when the data of its period is there; empty if none is missing."""
    incomplete_points: frozenset[int] = frozenset()
    """Positions of the labels that lack data."""


@dataclass(frozen=True)
class File:
    """A file of the report: attached, or linked."""

    name: str
    size: int
    rows: int | None = None
    url: str | None = None


@dataclass(frozen=True)
class Restated:
    """A period that an earlier report covered, and what is different from what that report has."""

    period: str
    changes: Sequence[str]


@dataclass(frozen=True)
class Document:
    """Everything that a page shows.

    Attributes:
        data_as_of: Age of the data: a time with its time zone, or that it is unknown.
        data_as_of_label: What the time means, such as "Complete through".
        trust: What is known of the tests and incidents of the data.
        tables: Rows that fit on a page; a truncated table has a note below it.
        notes: Sentences at the end, such as what was truncated.
        warnings: Sentences at the top, which readers must know first.
        restated: What earlier reports have and is different now.
        complete_through: Through which instant the data is complete; None if unknown.
        data_changed_at: When the data last changed, if nothing else is known of its age.
        table_notes: Which tables lack data of the period, for files that have only rows.
    """

    title: str
    data_as_of: str
    period: str = ""
    description: str = ""
    tiles: Sequence[Tile] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[FetchedRows] = ()
    files: Sequence[File] = ()
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    owner: str = ""
    data_as_of_label: str = "Data as of"
    trust: TrustState | None = None
    restated: Sequence[Restated] = ()
    complete_through: datetime | None = None
    data_changed_at: datetime | None = None
    table_notes: Sequence[str] = ()


def chart_from_rows(fetched: FetchedRows, kind: ChartKind = "bar", unit: str = "") -> Chart:
    """Return a chart of rows: labels in the first column, a series for each column of numbers.

    Raises:
        FormatError: there is no column of numbers after the first one.
    """
    indexes = [n for n, column in enumerate(fetched.columns) if n and column.kind in NUMBERS]
    if not indexes:
        raise FormatError(
            f"{fetched.title}: a chart needs labels in its first column and numbers in others"
        )
    labels = _labels(fetched.columns[0], [row[0] for row in fetched.rows])
    series = [
        Series(fetched.columns[index].name, [_number(row[index]) for row in fetched.rows])
        for index in indexes
    ]
    return Chart(fetched.title, labels, series, kind, unit)


def _labels(column: Column, values: Sequence[str | None]) -> list[str]:
    """Return the labels, each in one line; without their times if all are midnight."""
    lines = (value_line(value_text(column, value or ""), MAX_LABEL_LENGTH) for value in values)
    texts = [_NO_XML.sub("\ufffd", line) for line in lines]
    if column.kind in DAYS and all(text.endswith(_MIDNIGHT) for text in texts if text):
        return [text.removesuffix(_MIDNIGHT) for text in texts]
    return texts


def with_printable_titles(document: Document) -> Document:
    """Return the document with titles that can't change how what is beside them looks."""
    return replace(
        document,
        title=printable(document.title),
        period=printable(document.period),
        description=printable(document.description),
        tiles=[replace(each, title=printable(each.title)) for each in document.tiles],
        charts=[_with_printable_titles(each) for each in document.charts],
        tables=[replace(each, title=printable(each.title)) for each in document.tables],
        restated=[
            Restated(printable(each.period), [printable(text) for text in each.changes])
            for each in document.restated
        ],
    )


def _with_printable_titles(chart: Chart) -> Chart:
    series = [replace(each, name=printable(each.name)) for each in chart.series]
    return replace(chart, title=printable(chart.title), series=series)


def _number(value: str | None) -> float | None:
    number = None if value is None else float(value)
    finite = number is not None and abs(number) < float("inf")  # NaN is not below anything
    return number if finite else None
