"""The geometry of charts: positions of bars, lines and labels, in pixels.

Reads nothing, writes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flows.reports.formats.charts.axis import CURRENCIES, compact_number, finite, ticks
from flows.reports.formats.charts.colors import COLORS
from flows.reports.formats.pages.document import Chart, Series

WIDTH = 576
MAX_LABEL_LENGTH = 28
_HEIGHT, _EMPTY_HEIGHT = 250, 80
_TOP, _BOTTOM, _RIGHT = 14, 30, 14
_CHARACTER_WIDTH = 8.2  # width of an average character of 16 pixels, in the wider fonts of browsers
_AXIS_CHARACTER_WIDTH = 9.0  # digits and capitals
_ROW_HEIGHT = 30
_BAR_SHARE = 0.68
_MAX_BAR_WIDTH = 64
_MAX_ROWS = 14


@dataclass
class Drawing:
    """The shapes of a chart in pixels, as the template draws them."""

    height: float
    left: float = 0.0
    right: float = WIDTH - _RIGHT
    gridlines: list[tuple[float, str]] = field(default_factory=list)
    zero: float | None = None
    labels: list[tuple[float, float, str, str]] = field(default_factory=list)
    bars: list[tuple[float, float, float, float, str]] = field(default_factory=list)
    lines: list[tuple[str, str, str]] = field(default_factory=list)
    dots: list[tuple[float, float, str]] = field(default_factory=list)
    values: list[tuple[float, float, str, str]] = field(default_factory=list)


def layout_chart(chart: Chart) -> Drawing:
    """Return the shapes of a chart; none if it has no values."""
    values = [value for one in chart.series for value in one.values if value is not None]
    if not values:
        return Drawing(_EMPTY_HEIGHT)
    if chart.kind == "line":
        return _lines(chart, values)
    return _rows(chart, values) if _needs_rows(chart) else _columns(chart, values)


def _needs_rows(chart: Chart) -> bool:
    """Return whether the labels are too long for columns, and few enough for rows."""
    slot = (WIDTH - 60) / max(1, len(chart.labels))
    longest = max((len(label) for label in chart.labels), default=0)
    fits = len(chart.labels) <= _MAX_ROWS and len(chart.series) == 1
    return fits and longest * _CHARACTER_WIDTH > slot


def _frame(chart: Chart, values: Sequence[float], *, from_zero: bool) -> tuple[Drawing, "_Axis"]:
    positions = ticks(values, from_zero=from_zero)
    unit = _axis_unit(chart.unit)
    texts = [compact_number(position, unit) for position in positions]
    drawing = Drawing(_HEIGHT, left=14 + _AXIS_CHARACTER_WIDTH * max(map(len, texts)))
    axis = _Axis(positions[0], positions[-1], _HEIGHT - _BOTTOM, _TOP)
    drawing.gridlines = [
        (axis.pixel(position), text) for position, text in zip(positions, texts, strict=True)
    ]
    if positions[0] <= 0 <= positions[-1]:
        drawing.zero = axis.pixel(0)
    return drawing, axis


def _axis_unit(unit: str) -> str:
    """Return the unit to show at every tick; units that are words are in the heading."""
    return unit if unit in CURRENCIES or unit == "%" else ""


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def pixel(self, value: float) -> float:
        """Return the position of a value in pixels; of halves, as a difference can be infinite."""
        length = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / length if length else 0.0
        return round(self.start + share * (self.end - self.start), 1)


def _columns(chart: Chart, values: Sequence[float]) -> Drawing:
    stacked = chart.kind == "stacked"
    drawing, axis = _frame(chart, _sums(chart) if stacked else values, from_zero=True)
    slot = (drawing.right - drawing.left) / len(chart.labels)
    group = min(slot * _BAR_SHARE, _MAX_BAR_WIDTH * (1 if stacked else len(chart.series)))
    width = group if stacked else group / len(chart.series)
    for index in range(len(chart.labels)):
        start = drawing.left + slot * index + (slot - group) / 2
        above = below = 0.0
        for number, one in enumerate(chart.series):
            value = _value(one, index)
            if value is None:
                continue
            base = (above if value >= 0 else below) if stacked else 0.0
            above, below = finite(above + max(value, 0)), finite(below + min(value, 0))
            x = start if stacked else start + width * number
            ends = (base, finite(base + value))
            drawing.bars.append(_bar(axis, x, width, ends, COLORS[number]))
    _label_columns(chart, drawing, slot)
    return drawing


def _sums(chart: Chart) -> list[float]:
    columns = [
        [_value(one, index) or 0.0 for one in chart.series] for index in range(len(chart.labels))
    ]
    tops = [finite(sum(v for v in column if v > 0)) for column in columns]
    return tops + [finite(sum(v for v in column if v < 0)) for column in columns]


def _value(one: Series, index: int) -> float | None:
    return one.values[index] if index < len(one.values) else None


def _bar(
    axis: _Axis, x: float, width: float, ends: tuple[float, float], color: str
) -> tuple[float, float, float, float, str]:
    top, bottom = sorted((axis.pixel(ends[0]), axis.pixel(ends[1])))
    gap = 1 if width > 4 else 0  # noqa: PLR2004  # thin bars touch
    return (
        round(x, 1),
        top,
        round(max(width - gap, 0.5), 1),
        round(max(bottom - top, 0.5), 1),
        color,
    )


def _label_columns(chart: Chart, drawing: Drawing, slot: float) -> None:
    """Add as many evenly spaced labels as fit, always including the last."""
    longest = max(len(label) for label in chart.labels) * _CHARACTER_WIDTH + 8
    every = max(1, -(-int(min(longest, 160)) // max(1, int(slot))))
    last = len(chart.labels) - 1
    for index, label in enumerate(chart.labels):
        if (last - index) % every == 0:
            x = drawing.left + slot * (index + 0.5)
            text = _shorten(label, int(slot * every / _CHARACTER_WIDTH))
            half = len(text) * _CHARACTER_WIDTH / 2
            anchor = "end" if x + half > WIDTH else "middle"
            x = WIDTH - 2 if anchor == "end" else x
            drawing.labels.append((round(x, 1), _HEIGHT - 9, anchor, text))


def _shorten(text: str, length: int) -> str:
    length = max(4, min(length, MAX_LABEL_LENGTH))
    return text if len(text) <= length else f"{text[: length - 1]}\u2026"


def _rows(chart: Chart, values: Sequence[float]) -> Drawing:
    texts = [_shorten(label, MAX_LABEL_LENGTH) for label in chart.labels]
    left = 14 + _CHARACTER_WIDTH * max(map(len, texts))
    positions = ticks(values, from_zero=True)
    value_texts = [compact_number(value, chart.unit) for value in values]
    value_width = _CHARACTER_WIDTH * max(map(len, value_texts)) + 10
    end_value = max(*values, 0) or positions[-1]
    axis = _Axis(min(0, positions[0]), end_value, left, WIDTH - value_width)
    drawing = Drawing(_ROW_HEIGHT * len(texts) + 10, left=left)
    for index, text in enumerate(texts):
        middle = 5 + _ROW_HEIGHT * (index + 0.5)
        drawing.labels.append((left - 10, middle + 5, "end", text))
        value = _value(chart.series[0], index)
        if value is not None:
            start, end = sorted((axis.pixel(0), axis.pixel(value)))
            bar = (start, middle - 9.5, max(end - start, 1.5), 19.0, COLORS[0])
            drawing.bars.append(bar)
            drawing.values.append((end + 6, middle + 5, "start", compact_number(value, chart.unit)))
    return drawing


def _lines(chart: Chart, values: Sequence[float]) -> Drawing:
    drawing, axis = _frame(
        chart, values, from_zero=min(values) > 0 and min(values) < max(values) / 2
    )
    slot = (drawing.right - drawing.left) / len(chart.labels)
    floor = drawing.zero or axis.start
    for number, one in enumerate(chart.series):
        color = COLORS[number]
        segments = _segments(one, lambda index: drawing.left + slot * (index + 0.5), axis)
        for points in segments:
            path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
            area = f"{path} L{points[-1][0]:g} {floor:g} L{points[0][0]:g} {floor:g} Z"
            drawing.lines.append((path, area if len(chart.series) == 1 else "", color))
            if len(points) == 1 or points is segments[-1]:
                drawing.dots.append((*points[-1], color))
    _label_columns(chart, drawing, slot)
    return drawing


def _segments(
    one: Series, x_of: Callable[[int], float], axis: _Axis
) -> list[list[tuple[float, float]]]:
    """Return the points of a line, in segments between missing values."""
    segments: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(one.values):
        if value is None:
            segments.append([])
        else:
            segments[-1].append((round(x_of(index), 1), axis.pixel(value)))
    return [points for points in segments if points]
