"""The parts of a report as they are stored and compared: numbers of tiles and charts, hashes of tables.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal, NamedTuple

from analytics_worker.presentation.exact_numbers import decimal_of
from flows.reports.formats import Chart, Tile
from flows.reports.formats.pages.document import Number
from flows.reports.formats.query.fingerprint import Fingerprint

PartKind = Literal["tile", "chart", "table"]
PartKey = tuple[PartKind, int]


class Point(NamedTuple):
    """A number of a tile or chart, as text with all its digits; None where there is no value."""

    label: str
    series: str
    number: str | None


@dataclass(frozen=True)
class Part:
    """A tile, chart or table; `problem` is why it can't be compared, or could not be read."""

    kind: PartKind
    position: int
    title: str
    unit: str = ""
    decimals: int = 0
    points: tuple[Point, ...] = ()
    rows: int | None = None
    hash: str | None = None
    sums: tuple[tuple[str | None, str | None], ...] = ()
    """Of each column in double precision: its weighted sum, and that of the absolute values."""
    columns: tuple[str, ...] = ()
    is_approximate: bool = False
    problem: str | None = None

    @property
    def key(self) -> PartKey:
        """What identifies it among the parts of its run."""
        return self.kind, self.position

    def with_problem(self, problem: str | None) -> "Part":
        """Return the part with why it can't be compared."""
        return replace(self, problem=problem)


@dataclass(frozen=True)
class SentReport:
    """What is stored with a run that has ended.

    Attributes:
        parts: What the report has of its period.
        fingerprint: State of the relations that it reads, before they were read.
        complete_through: Through which instant its data was complete; None if unknown.
        shown: Earlier runs whose restatement it shows.
    """

    parts: Sequence[Part]
    fingerprint: str | None
    complete_through: datetime | None
    shown: Sequence[int] = ()


def tile_part(position: int, tile: Tile) -> Part:
    """Return a tile as it is compared."""
    return Part(
        "tile",
        position,
        tile.title,
        tile.unit,
        tile.decimals,
        points=(Point("", "", _text(tile.value)),),
        is_approximate=tile.is_approximate,
        problem=_tile_problem(tile),
    )


def _tile_problem(tile: Tile) -> str | None:
    if tile.incomplete:
        return "it was sent without a number, because its period was incomplete"
    return "its SQL returns several rows" if tile.is_first_of_several else None


def chart_part(position: int, title: str, chart: Chart) -> Part:
    """Return a chart as it is compared; its numbers are in double precision."""
    points = tuple(
        Point(label, series.name, _text(value))
        for series in chart.series
        for label, value in zip(chart.labels, series.values, strict=True)
    )
    return Part("chart", position, title, chart.unit, points=points, is_approximate=True)


def table_part(position: int, title: str, fingerprint: Fingerprint) -> Part:
    """Return a table as it is compared."""
    return Part("table", position, title, **fingerprint._asdict())


def _text(value: Number | None) -> str | None:
    return None if value is None else str(decimal_of(value))


def stored_part(part: Part) -> dict[str, Any]:
    """Return the row of ``ops.report_values`` of a part."""
    return {"part": part.kind, **asdict(part)}


def part_of_row(row: Mapping[str, Any]) -> Part:
    """Return the part of a row of ``ops.report_values``."""
    return Part(
        row["part"],
        row["position"],
        row["title"],
        row["unit"],
        row["decimals"],
        points=tuple(Point(*each) for each in row["points"]),
        rows=row["rows"],
        hash=row["hash"],
        sums=tuple((each[0], each[1]) for each in row["sums"]),
        columns=tuple(row["columns"]),
        is_approximate=row["is_approximate"],
        problem=row["problem"],
    )
