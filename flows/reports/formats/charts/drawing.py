"""The shapes of a chart in pixels, and its axis.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.reports.formats.pages.document import Chart, Series

WIDTH = 576
RIGHT_MARGIN = 14
EM = 16.8
"""Pixels of one font size (16) in the wider fonts of browsers: a chart can't grow with them."""
LINE_HEIGHT = 18.0

Bar = tuple[float, float, float, float, str]
"""Left, top, width, height and color."""


@dataclass
class Drawing:
    """The shapes of a chart in pixels, as the template draws them."""

    height: float
    left: float = 0.0
    right: float = WIDTH - RIGHT_MARGIN
    gridlines: list[tuple[float, str]] = field(default_factory=list)
    zero: float | None = None
    """Height of the line at zero."""
    vertical_zero: float | None = None
    """Position of the line at zero, if bars are rows."""
    labels: list[tuple[float, float, str, str]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list[Bar])
    pale_bars: list[Bar] = field(default_factory=list[Bar])
    """Bars that lack data."""
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    dashes: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    """Parts of lines that lead to points that lack data."""
    dots: list[tuple[float, float, str]] = field(default_factory=list)
    open_dots: list[tuple[float, float, str]] = field(
        default_factory=list[tuple[float, float, str]]
    )
    values: list[tuple[float, float, str, str]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether it has no values."""
        shapes = (self.bars, self.pale_bars, self.lines, self.open_dots)
        return not any(shapes)

    def add_bar(self, bar: Bar, *, is_incomplete: bool) -> None:
        """Add a bar, pale if it lacks data."""
        (self.pale_bars if is_incomplete else self.bars).append(bar)


@dataclass(frozen=True)
class Axis:
    """The pixels that stand for values from ``low`` to ``high``."""

    low: float
    high: float
    start: float
    end: float

    def pixel(self, value: float) -> float:
        """Return the position of a value in pixels; of halves, as a difference can be infinite."""
        length = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / length if length else 0.0
        return round(self.start + share * (self.end - self.start), 1)


def value_at(one: Series, index: int) -> float | None:
    """Return a value of a series; None beyond its end."""
    return one.values[index] if index < len(one.values) else None


def values_at(chart: Chart, index: int) -> Sequence[float | None]:
    """Return the values of all series at a label."""
    return [value_at(one, index) for one in chart.series]
