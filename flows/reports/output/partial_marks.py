"""Mark the points of charts and the rows of tables that lack data of the period.

Reads nothing, writes nothing.
"""

from dataclasses import replace

from flows.reports.formats import Chart, FetchedRows
from flows.reports.output.incomplete_rows import incomplete_rows
from flows.reports.output.partial_periods import PartialPeriod


def marked_table(fetched: FetchedRows, sql: str, partial: PartialPeriod) -> FetchedRows:
    """Return the rows of a statement; those that lack data are marked, if their times are known."""
    rows = _positions(fetched, sql, partial) or frozenset()
    return replace(fetched, incomplete=partial.text(sql), incomplete_rows=rows)


def marked_chart(chart: Chart, fetched: FetchedRows, sql: str, partial: PartialPeriod) -> Chart:
    """Return the chart of these rows; of a line without known times, the last point is marked."""
    points = _positions(fetched, sql, partial)
    if points is None:
        is_line = chart.kind == "line" and bool(chart.labels)
        points = frozenset({len(chart.labels) - 1}) if is_line else frozenset[int]()
    return replace(chart, incomplete=partial.text(sql), incomplete_points=points)


def _positions(fetched: FetchedRows, sql: str, partial: PartialPeriod) -> frozenset[int] | None:
    """Return which rows lack data; None if their times are not known."""
    since, run = partial.incomplete_since(sql), partial.run
    if since is None:
        return frozenset()
    return incomplete_rows(fetched, since, run.end, run.report.timezone)
