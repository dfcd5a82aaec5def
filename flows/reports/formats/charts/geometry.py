"""The geometry of charts: where bars, lines and labels stand, in pixels.

Reads nothing, writes nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flows.reports.formats.charts.axis import CURRENCIES, compact, finite, ticks
from flows.reports.formats.pages.document import Chart, Series

WIDTH = 576
COLORS = ("#2266dd", "#ee9911", "#117766", "#aa55ee", "#667788", "#cc3333")
LONGEST_LABEL = 28
_HEIGHT, _EMPTY_HEIGHT = 250, 80
_TOP, _BOTTOM, _RIGHT = 14, 30, 14
_CHARACTER = 8.2  # width of an average character of 16 pixels, in the wider fonts of browsers
_AXIS_CHARACTER = 9.0  # digits and capitals
_ROW = 30
_BAR_SHARE = 0.68
_WIDEST_BAR = 64
_MOST_ROWS = 14


@dataclass
class Drawing:
    """Shapes in pixels, as the template takes them."""

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


def drawn(chart: Chart) -> Drawing:
    """The shapes of a chart; none if it has no values."""
    known = [value for one in chart.series for value in one.values if value is not None]
    if not known:
        return Drawing(_EMPTY_HEIGHT)
    if chart.kind == "line":
        return _lines(chart, known)
    return _rows(chart, known) if _wants_rows(chart) else _columns(chart, known)


def _wants_rows(chart: Chart) -> bool:
    """Whether the labels are too long to stand below columns, and few enough for rows."""
    room = (WIDTH - 60) / max(1, len(chart.labels))
    longest = max((len(label) for label in chart.labels), default=0)
    few = len(chart.labels) <= _MOST_ROWS and len(chart.series) == 1
    return few and longest * _CHARACTER > room


def _frame(chart: Chart, values: Sequence[float], *, from_zero: bool) -> tuple[Drawing, "_Axis"]:
    marks = ticks(values, from_zero=from_zero)
    texts = [compact(mark, _on_axis(chart.unit)) for mark in marks]
    drawing = Drawing(_HEIGHT, left=14 + _AXIS_CHARACTER * max(map(len, texts)))
    axis = _Axis(marks[0], marks[-1], _HEIGHT - _BOTTOM, _TOP)
    drawing.gridlines = [(axis.at(mark), text) for mark, text in zip(marks, texts, strict=True)]
    if marks[0] <= 0 <= marks[-1]:
        drawing.zero = axis.at(0)
    return drawing, axis


def _on_axis(unit: str) -> str:
    """Signs stand at every mark, words in the heading."""
    return unit if unit in CURRENCIES or unit == "%" else ""


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Where a value is, in pixels; halves, because the difference of two may be infinite."""
        length = self.high / 2 - self.low / 2
        share = (value / 2 - self.low / 2) / length if length else 0.0
        return round(self.start + share * (self.end - self.start), 1)


def _columns(chart: Chart, known: Sequence[float]) -> Drawing:
    stacked = chart.kind == "stacked"
    drawing, axis = _frame(chart, _sums(chart) if stacked else known, from_zero=True)
    slot = (drawing.right - drawing.left) / len(chart.labels)
    group = min(slot * _BAR_SHARE, _WIDEST_BAR * (1 if stacked else len(chart.series)))
    width = group if stacked else group / len(chart.series)
    for place in range(len(chart.labels)):
        start = drawing.left + slot * place + (slot - group) / 2
        above = below = 0.0
        for number, one in enumerate(chart.series):
            value = _value(one, place)
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
        [_value(one, place) or 0.0 for one in chart.series] for place in range(len(chart.labels))
    ]
    tops = [finite(sum(v for v in column if v > 0)) for column in columns]
    return tops + [finite(sum(v for v in column if v < 0)) for column in columns]


def _value(one: Series, place: int) -> float | None:
    return one.values[place] if place < len(one.values) else None


def _bar(
    axis: _Axis, x: float, width: float, ends: tuple[float, float], color: str
) -> tuple[float, float, float, float, str]:
    top, bottom = sorted((axis.at(ends[0]), axis.at(ends[1])))
    gap = 1 if width > 4 else 0  # noqa: PLR2004  # thin bars touch
    return (
        round(x, 1),
        top,
        round(max(width - gap, 0.5), 1),
        round(max(bottom - top, 0.5), 1),
        color,
    )


def _label_columns(chart: Chart, drawing: Drawing, slot: float) -> None:
    """As many labels as fit, evenly, always with the last."""
    longest = max(len(label) for label in chart.labels) * _CHARACTER + 8
    every = max(1, -(-int(min(longest, 160)) // max(1, int(slot))))
    last = len(chart.labels) - 1
    for place, label in enumerate(chart.labels):
        if (last - place) % every == 0:
            x = drawing.left + slot * (place + 0.5)
            text = _cut(label, int(slot * every / _CHARACTER))
            half = len(text) * _CHARACTER / 2
            anchor = "end" if x + half > WIDTH else "middle"
            x = WIDTH - 2 if anchor == "end" else x
            drawing.labels.append((round(x, 1), _HEIGHT - 9, anchor, text))


def _cut(text: str, length: int) -> str:
    length = max(4, min(length, LONGEST_LABEL))
    return text if len(text) <= length else f"{text[: length - 1]}\u2026"


def _rows(chart: Chart, known: Sequence[float]) -> Drawing:
    texts = [_cut(label, LONGEST_LABEL) for label in chart.labels]
    left = 14 + _CHARACTER * max(map(len, texts))
    marks = ticks(known, from_zero=True)
    room = _CHARACTER * max(len(compact(value, chart.unit)) for value in known) + 10
    axis = _Axis(min(0, marks[0]), max(*known, 0) or marks[-1], left, WIDTH - room)
    drawing = Drawing(_ROW * len(texts) + 10, left=left)
    for place, text in enumerate(texts):
        middle = 5 + _ROW * (place + 0.5)
        drawing.labels.append((left - 10, middle + 5, "end", text))
        value = _value(chart.series[0], place)
        if value is not None:
            start, end = sorted((axis.at(0), axis.at(value)))
            bar = (start, middle - 9.5, max(end - start, 1.5), 19.0, COLORS[0])
            drawing.bars.append(bar)
            drawing.values.append((end + 6, middle + 5, "start", compact(value, chart.unit)))
    return drawing


def _lines(chart: Chart, known: Sequence[float]) -> Drawing:
    drawing, axis = _frame(chart, known, from_zero=min(known) > 0 and min(known) < max(known) / 2)
    slot = (drawing.right - drawing.left) / len(chart.labels)
    floor = drawing.zero or axis.start
    for number, one in enumerate(chart.series):
        color = COLORS[number]
        runs = _unbroken(one, lambda place: drawing.left + slot * (place + 0.5), axis)
        for run in runs:
            path = "M" + " L".join(f"{x:g} {y:g}" for x, y in run)
            area = f"{path} L{run[-1][0]:g} {floor:g} L{run[0][0]:g} {floor:g} Z"
            drawing.lines.append((path, area if len(chart.series) == 1 else "", color))
            if len(run) == 1 or run is runs[-1]:
                drawing.dots.append((*run[-1], color))
    _label_columns(chart, drawing, slot)
    return drawing


def _unbroken(
    one: Series, x_of: Callable[[int], float], axis: _Axis
) -> list[list[tuple[float, float]]]:
    """The points of a line, in runs between missing values."""
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(one.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append((round(x_of(place), 1), axis.at(value)))
    return [run for run in runs if run]
