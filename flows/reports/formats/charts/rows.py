"""Bars as rows, for labels that are too long to stand below columns; each bar with its number.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from analytics_worker.presentation.numbers import compact_number
from flows.reports.formats.charts.axis import finite
from flows.reports.formats.charts.colors import COLORS
from flows.reports.formats.charts.drawing import (
    EM,
    LINE_HEIGHT,
    WIDTH,
    Axis,
    Bar,
    Drawing,
    values_at,
)
from flows.reports.formats.charts.labels import text_pixels
from flows.reports.formats.charts.stacking import Ends, extremes, value_ends
from flows.reports.formats.pages.document import Chart
from flows.reports.formats.text_width import wrapped_lines

MAX_ROWS, MAX_SHORT_ROWS = 36, 14
_SHORT_LABEL = 12  # characters, such as those of dates
_MAX_LABEL_WIDTH = 230.0
_MAX_LABEL_LINES = 3
_BAR, _GAP, _MIN_GAP = 19.0, 11.0, 4.0
_MAX_HEIGHT = 860.0
"""Pixels beyond which rows are denser, with one line for each label, to fit on a printed page."""
_MARGIN = 5.0


def suits_rows(chart: Chart) -> bool:
    """Return whether the bars of a chart are few enough for rows."""
    longest = max(map(len, chart.labels), default=0)
    rows = len(chart.labels) * (1 if chart.kind == "stacked" else len(chart.series))
    return rows <= (MAX_ROWS if longest > _SHORT_LABEL else MAX_SHORT_ROWS)


@dataclass(frozen=True)
class _Row:
    """A label in lines, the ends of its bars, and the numbers at them: each where it stands, and what it is."""

    lines: Sequence[str]
    ends: Sequence[Ends | None]
    numbers: Sequence[tuple[float, float] | None]
    bars: int
    gap: float
    is_incomplete: bool

    @property
    def height(self) -> float:
        """Height of the row in pixels."""
        return max(_BAR * self.bars, LINE_HEIGHT * len(self.lines)) + self.gap


def layout_rows(chart: Chart) -> Drawing:
    """Return the shapes of a chart with a row for each label."""
    rows = _rows(chart, _MAX_LABEL_LINES, _GAP)
    if sum(row.height for row in rows) > _MAX_HEIGHT:
        rows = _rows(chart, 1, _MIN_GAP)
    left = 14 + max(text_pixels(line) for row in rows for line in row.lines)
    axis = _axis(rows, chart.unit, left)
    drawing = Drawing(_MARGIN, left=left)
    for row in rows:
        _add_row(drawing, axis, row, chart.unit)
        drawing.height += row.height
    drawing.height += _MARGIN
    if axis.low < 0:
        drawing.vertical_zero = axis.pixel(0)
    return drawing


def _rows(chart: Chart, max_lines: int, gap: float) -> list[_Row]:
    em = _MAX_LABEL_WIDTH / EM
    lines = [wrapped_lines(label, em, max_lines) or [""] for label in chart.labels]
    return [_row(chart, index, each, gap) for index, each in enumerate(lines)]


def _row(chart: Chart, index: int, lines: Sequence[str], gap: float) -> _Row:
    values, is_incomplete = values_at(chart, index), index in chart.incomplete_points
    if chart.kind != "stacked":
        numbers = [None if value is None else (value, value) for value in values]
        ends = value_ends(values, stacked=False)
        return _Row(lines, ends, numbers, len(values), gap, is_incomplete)
    ends = value_ends(values, stacked=True)
    low, high = extremes(ends)
    sums = [(high or low, finite(sum(v for v in values if v is not None)))] if any(ends) else []
    return _Row(lines, ends, sums, 1, gap, is_incomplete)


def _axis(rows: Sequence[_Row], unit: str, left: float) -> Axis:
    """Return the axis between the numbers at the bars' ends."""
    low, high = extremes([ends for row in rows for ends in row.ends])
    numbers = [number for row in rows for number in row.numbers if number]
    widths = [(place < 0, text_pixels(compact_number(n, unit)) + 10) for place, n in numbers]
    start = left + max((width for is_left, width in widths if is_left), default=0.0)
    end = WIDTH - max((width for is_left, width in widths if not is_left), default=10.0)
    return Axis(low, high if high > low else low + 1, start, end)


def _add_row(drawing: Drawing, axis: Axis, row: _Row, unit: str) -> None:
    """Add the label, bars and numbers of a row below those that are there."""
    middle = drawing.height + row.height / 2
    for number, line in enumerate(row.lines):
        y = middle + 5 + LINE_HEIGHT * (number - (len(row.lines) - 1) / 2)
        drawing.labels.append((round(drawing.left - 10, 1), round(y, 1), "end", line))
    top = middle - _BAR * row.bars / 2
    for number, ends in enumerate(row.ends):
        if ends:
            y = top + _BAR * min(number, row.bars - 1)
            drawing.add_bar(_bar(axis, y, ends, COLORS[number]), is_incomplete=row.is_incomplete)
    for number, place in enumerate(row.numbers):
        if place:
            drawing.values.append(_number(axis, top + _BAR * (number + 0.5) + 5, place, unit))


def _bar(axis: Axis, top: float, ends: Ends, color: str) -> Bar:
    start, end = sorted((axis.pixel(ends[0]), axis.pixel(ends[1])))
    return start, round(top, 1), max(round(end - start, 1), 1.5), _BAR - 1, color


def _number(
    axis: Axis, y: float, number: tuple[float, float], unit: str
) -> tuple[float, float, str, str]:
    """Return a number beyond the end of its bar: on the left of a negative one."""
    place, value = number
    x, anchor = (axis.pixel(place) - 6, "end") if place < 0 else (axis.pixel(place) + 6, "start")
    return round(x, 1), round(y, 1), anchor, compact_number(value, unit)
