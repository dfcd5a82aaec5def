"""The geometry of charts: positions of bars, lines and labels, in pixels.

Reads nothing, writes nothing.
"""

from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from typing import NamedTuple

from analytics_worker.presentation.numbers import CURRENCIES, compact_number
from flows.reports.formats.charts.axis import ticks
from flows.reports.formats.charts.colors import COLORS
from flows.reports.formats.charts.drawing import RIGHT_MARGIN, WIDTH, Axis, Bar, Drawing, values_at
from flows.reports.formats.charts.labels import add_labels, fits_columns, text_pixels
from flows.reports.formats.charts.rows import layout_rows, suits_rows
from flows.reports.formats.charts.stacking import extremes, value_ends
from flows.reports.formats.pages.document import Chart, Series

_HEIGHT, _EMPTY_HEIGHT = 250, 80
_TOP, _BOTTOM = 14, 30
_LABEL_Y = _HEIGHT - 9
_COLUMNS_WIDTH = WIDTH - 60
"""Width of the columns beside a usual axis."""
_MAX_RIGHT_MARGIN = 60.0
_BAR_SHARE = 0.68
_MAX_BAR_WIDTH = 64


class _Point(NamedTuple):
    """A point of a line."""

    x: float
    y: float
    is_incomplete: bool


def layout_chart(chart: Chart) -> Drawing:
    """Return the shapes of a chart; none if it has no values."""
    values = [value for one in chart.series for value in one.values if value is not None]
    if not values:
        return Drawing(_EMPTY_HEIGHT)
    if chart.kind == "line":
        return _lines(chart, values)
    return layout_rows(chart) if _needs_rows(chart) else _columns(chart)


def _needs_rows(chart: Chart) -> bool:
    """Return whether the labels are too long for columns, and the bars few enough for rows."""
    slot = _COLUMNS_WIDTH / max(1, len(chart.labels))
    return suits_rows(chart) and not fits_columns(chart.labels, slot)


def _frame(chart: Chart, values: Sequence[float], *, from_zero: bool) -> tuple[Drawing, Axis]:
    positions = ticks(values, from_zero=from_zero)
    unit = _axis_unit(chart.unit)
    texts = [compact_number(position, unit) for position in positions]
    drawing = Drawing(_HEIGHT, left=14 + max(map(text_pixels, texts)))
    axis = Axis(positions[0], positions[-1], _HEIGHT - _BOTTOM, _TOP)
    drawing.gridlines = [
        (axis.pixel(position), text) for position, text in zip(positions, texts, strict=True)
    ]
    if positions[0] <= 0 <= positions[-1]:
        drawing.zero = axis.pixel(0)
    drawing.right = WIDTH - _right_margin(chart, drawing)
    return drawing, axis


def _right_margin(chart: Chart, drawing: Drawing) -> float:
    """Return the space that the last label needs beyond its column, to stand below its middle."""
    half_slot = (drawing.right - drawing.left) / len(chart.labels) / 2
    beyond = text_pixels(chart.labels[-1]) / 2 - half_slot
    return min(max(RIGHT_MARGIN, beyond + 4), _MAX_RIGHT_MARGIN)


def _axis_unit(unit: str) -> str:
    """Return the unit to show at every tick; units that are words are in the heading."""
    return unit if unit in CURRENCIES or unit == "%" else ""


def _columns(chart: Chart) -> Drawing:
    stacked = chart.kind == "stacked"
    columns = [
        value_ends(values_at(chart, index), stacked=stacked) for index in range(len(chart.labels))
    ]
    drawing, axis = _frame(
        chart, extremes([ends for column in columns for ends in column]), from_zero=True
    )
    slot = (drawing.right - drawing.left) / len(chart.labels)
    group = min(slot * _BAR_SHARE, _MAX_BAR_WIDTH * (1 if stacked else len(chart.series)))
    width = group if stacked else group / len(chart.series)
    for index, column in enumerate(columns):
        start = drawing.left + slot * index + (slot - group) / 2
        for number, ends in enumerate(column):
            if ends:
                x = start if stacked else start + width * number
                bar = _bar(axis, x, width, ends, COLORS[number])
                drawing.add_bar(bar, is_incomplete=index in chart.incomplete_points)
    add_labels(drawing, chart.labels, slot, _LABEL_Y)
    return drawing


def _bar(axis: Axis, x: float, width: float, ends: tuple[float, float], color: str) -> Bar:
    top, bottom = sorted((axis.pixel(ends[0]), axis.pixel(ends[1])))
    gap = 1 if width > 4 else 0  # noqa: PLR2004  # thin bars touch
    return (
        round(x, 1),
        top,
        round(max(width - gap, 0.5), 1),
        round(max(bottom - top, 0.5), 1),
        color,
    )


def _lines(chart: Chart, values: Sequence[float]) -> Drawing:
    drawing, axis = _frame(
        chart, values, from_zero=min(values) > 0 and min(values) < max(values) / 2
    )
    slot = (drawing.right - drawing.left) / len(chart.labels)
    floor = drawing.zero or axis.start
    for number, one in enumerate(chart.series):
        segments = _segments(chart, one, lambda index: drawing.left + slot * (index + 0.5), axis)
        for points in segments:
            _add_line(drawing, points, COLORS[number], floor if len(chart.series) == 1 else None)
            if len(points) == 1 or points is segments[-1]:
                last = points[-1]
                dots = drawing.open_dots if last.is_incomplete else drawing.dots
                dots.append((last.x, last.y, COLORS[number]))
    add_labels(drawing, chart.labels, slot, _LABEL_Y)
    return drawing


def _add_line(drawing: Drawing, points: Sequence[_Point], color: str, floor: float | None) -> None:
    """Add the points of a line: dashed to and from those that lack data."""
    for is_incomplete, group in groupby(points, lambda point: point.is_incomplete):
        if not is_incomplete:
            found = list(group)
            path = _path(found)
            drawing.lines.append((path, _area(path, found, floor), color))
    for pair in pairwise(points):
        if any(point.is_incomplete for point in pair):
            drawing.dashes.append((_path(pair), color))


def _area(path: str, points: Sequence[_Point], floor: float | None) -> str:
    """Return the area between a path and a floor; empty without one."""
    if floor is None:
        return ""
    return f"{path} L{points[-1].x:g} {floor:g} L{points[0].x:g} {floor:g} Z"


def _path(points: Sequence[_Point]) -> str:
    return "M" + " L".join(f"{point.x:g} {point.y:g}" for point in points)


def _segments(
    chart: Chart, one: Series, x_of: Callable[[int], float], axis: Axis
) -> list[list[_Point]]:
    """Return the points of a line, in segments between missing values."""
    segments: list[list[_Point]] = [[]]
    for index, value in enumerate(one.values):
        if value is None:
            segments.append([])
        else:
            x, is_incomplete = round(x_of(index), 1), index in chart.incomplete_points
            segments[-1].append(_Point(x, axis.pixel(value), is_incomplete))
    return [points for points in segments if points]
