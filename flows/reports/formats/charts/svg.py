"""Charts as SVG: columns, rows of bars for long labels, stacked columns, lines.

Reads its template, writes nothing. Colors also differ in lightness, every series is named, and the
alternative text has the lowest, highest and last number of each series. Points that lack data are dashed or pale.
"""

from dataclasses import replace

from analytics_worker.presentation.numbers import compact_number
from flows.reports.formats.charts.colors import COLORS
from flows.reports.formats.charts.drawing import WIDTH
from flows.reports.formats.charts.geometry import layout_chart
from flows.reports.formats.pages.document import Chart, Series
from flows.reports.formats.pages.page_templates import render_template

MAX_SERIES = len(COLORS)
MAX_BARS = 60
MAX_POINTS = 400


def limit_chart(chart: Chart) -> tuple[Chart, list[str]]:
    """Return the chart with as much as can be drawn readably, and notes about what was left out."""
    notes: list[str] = []
    series = list(chart.series)
    if len(series) > MAX_SERIES:
        notes.append(f"{chart.title}: the chart shows {MAX_SERIES} of {len(series)} series.")
        series = series[:MAX_SERIES]
    limit = MAX_POINTS if chart.kind == "line" else MAX_BARS
    labels, points = list(chart.labels), chart.incomplete_points
    if len(labels) > limit:
        notes.append(f"{chart.title}: the chart shows the last {limit} of {len(labels)} points.")
        labels = labels[-limit:]
        series = [Series(one.name, list(one.values)[-limit:]) for one in series]
        cut = len(chart.labels) - limit
        points = frozenset(n - cut for n in points if n >= cut)
    return replace(chart, labels=labels, series=series, incomplete_points=points), notes


def render_svg(chart: Chart) -> tuple[str, float]:
    """Render a chart; return the SVG and its height. Its width is `WIDTH`."""
    drawing = layout_chart(chart)
    return render_template("chart.svg", {"drawing": drawing, "width": WIDTH}), drawing.height


def alt_text(chart: Chart) -> str:
    """Describe a chart in text."""
    kinds = {"line": "Line chart", "bar": "Bar chart", "stacked": "Stacked bar chart"}
    parts = [f"{kinds[chart.kind]}: {chart.title}."]
    for one in chart.series:
        pairs = [
            (v, label) for v, label in zip(one.values, chart.labels, strict=False) if v is not None
        ]
        if not pairs:
            parts.append(f"{one.name}: no data.")
            continue
        (low, at_low), (high, at_high), (last, at_last) = min(pairs), max(pairs), pairs[-1]
        parts.append(
            f"{one.name}: lowest {compact_number(low, chart.unit)} ({at_low}), highest"
            f" {compact_number(high, chart.unit)} ({at_high}), last {compact_number(last, chart.unit)} ({at_last})."
        )
    if chart.incomplete:
        parts.append(f"{incomplete_note(chart)}.")
    return " ".join(parts)


def incomplete_note(chart: Chart) -> str:
    """Return until when the data of a chart is there, and how its points without all data look."""
    look = "dashed" if chart.kind == "line" else "pale"
    return f"{chart.incomplete} ({look})" if chart.incomplete_points else chart.incomplete


def legend(chart: Chart) -> list[tuple[str, str]]:
    """Return color and name of each series; nothing for a single one, which the title names."""
    if len(chart.series) < 2:  # noqa: PLR2004  # one series needs no key
        return []
    return [(COLORS[number], one.name) for number, one in enumerate(chart.series)]
