"""Charts as SVG: columns, rows of bars for long labels, stacked columns, lines.

Reads its template, writes nothing. Colors differ in lightness, too, every series is named, and the
alternative text tells the numbers that matter.
"""

from flows.reports.formats.charts.axis import compact
from flows.reports.formats.charts.geometry import COLORS, WIDTH, drawn
from flows.reports.formats.pages.document import Chart, Series
from flows.reports.formats.pages.page_templates import rendered

MOST_SERIES = len(COLORS)
MOST_BARS = 60
MOST_POINTS = 400


def shortened(chart: Chart) -> tuple[Chart, list[str]]:
    """The chart as far as it can be drawn readably, and what was left out."""
    notes: list[str] = []
    series = list(chart.series)
    if len(series) > MOST_SERIES:
        notes.append(f"{chart.title}: the chart shows {MOST_SERIES} of {len(series)} series.")
        series = series[:MOST_SERIES]
    most = MOST_POINTS if chart.kind == "line" else MOST_BARS
    labels = list(chart.labels)
    if len(labels) > most:
        notes.append(f"{chart.title}: the chart shows the last {most} of {len(labels)} points.")
        labels = labels[-most:]
        series = [Series(one.name, list(one.values)[-most:]) for one in series]
    return Chart(chart.title, labels, series, chart.kind, chart.unit), notes


def svg(chart: Chart) -> tuple[str, float]:
    """The picture, and its height; its width is `WIDTH`."""
    drawing = drawn(chart)
    return rendered("chart.svg", {"drawing": drawing, "width": WIDTH}), drawing.height


def alternative(chart: Chart) -> str:
    """What the picture shows, in words."""
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
            f"{one.name}: lowest {compact(low, chart.unit)} ({at_low}), highest"
            f" {compact(high, chart.unit)} ({at_high}), last {compact(last, chart.unit)} ({at_last})."
        )
    return " ".join(parts)


def legend(chart: Chart) -> list[tuple[str, str]]:
    """Color and name of each series; nothing for a single one, which the title names."""
    if len(chart.series) < 2:  # noqa: PLR2004  # one series needs no key
        return []
    return [(COLORS[number], one.name) for number, one in enumerate(chart.series)]
