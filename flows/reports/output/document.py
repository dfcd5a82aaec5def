"""Build the page of a report for every format: heading, tiles, charts, tables, notes.

Reads, in the given snapshot, what its tiles, charts and tables read, and through which instant that is
complete; writes nothing.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal

from analytics_worker.database.select_guard import placeholders
from analytics_worker.database.server_values import TEXT, number_of
from analytics_worker.text import value_line
from flows.reports.definitions.model import ChartDefinition, TileDefinition
from flows.reports.formats import (
    Chart,
    Document,
    FetchedRows,
    FormatError,
    Snapshot,
    TableQuery,
    Tile,
    chart_from_rows,
    fetch_rows,
    fetch_table,
    get_format,
)
from flows.reports.formats.pages.document import Number
from flows.reports.formats.query.columns import NUMBERS, Column, ColumnKind
from flows.reports.formats.query.reader_columns import number_remedy
from flows.reports.output.data_age import data_state
from flows.reports.output.partial_periods import incomplete_text
from flows.reports.runs.model import ReportRun, run_period
from flows.reports.scheduling.period_parameters import PERIOD_PARAMETERS, sql_parameters

MAX_CHART_POINTS = 60


def report_document(snapshot: Snapshot, run: ReportRun) -> Document:
    """Return the page of a run, without files; with tables if a format needs them, and notes on tiles."""
    notes: list[str] = []
    report, period = run.report, run_period(run)
    data = data_state(snapshot, run)
    with_tables = any(get_format(name).document for name in report.format)
    return Document(
        title=_title(run),
        data_as_of=data.age.text(report.timezone),
        data_as_of_label=data.age.label,
        trust=data.trust,
        period=period.text if period and run.kind != "ad_hoc" else "",
        description=report.description or "",
        tiles=[_tile(snapshot, run, tile, notes) for tile in report.tiles],
        charts=[_chart(snapshot, run, chart) for chart in report.charts],
        tables=_tables(snapshot, run) if with_tables else [],
        owner=report.owner or "",
        notes=list(dict.fromkeys(notes)),
    )


def _title(run: ReportRun) -> str:
    name = f"{run.report.heading} – {run.key}" if run.key else run.report.heading
    if run.unverified:
        return f"{name} (unverified: {', '.join(run.unverified)})"
    return f"{name} (preliminary)" if run.is_preliminary else name


def _tables(snapshot: Snapshot, run: ReportRun) -> list[FetchedRows]:
    report = run.report
    limit = min(report.page_rows, report.max_rows or report.page_rows)
    parameters = sql_parameters(run)
    queries = [TableQuery(t.title, t.sql, parameters, t.columns) for t in report.tables]
    return [fetch_table(snapshot, query, limit, report.max_rows) for query in queries]


def with_notes(document: Document, run: ReportRun, notes: Sequence[str]) -> Document:
    """Return the page with its warnings and notes."""
    warnings = [run.reason] if run.reason else []
    return replace(document, warnings=warnings, notes=[*run.report.notes, *notes])


def _tile(snapshot: Snapshot, run: ReportRun, tile: TileDefinition, notes: list[str]) -> Tile:
    if incomplete := incomplete_text(snapshot, run, tile):
        return Tile(title=tile.title, value=None, incomplete=incomplete)
    return Tile(
        title=tile.title,
        value=_number(snapshot, TableQuery(tile.title, tile.sql, sql_parameters(run)), notes),
        previous=_previous_number(snapshot, run, tile, notes),
        unit=tile.unit,
        decimals=tile.decimals,
        better=tile.better,
    )


def _previous_number(
    snapshot: Snapshot, run: ReportRun, tile: TileDefinition, notes: list[str]
) -> Number | None:
    """Return the number to compare with; None if the tile does not depend on a period."""
    period = run_period(run)
    if tile.previous:
        return _number(snapshot, TableQuery(tile.title, tile.previous, sql_parameters(run)), notes)
    if period and placeholders(tile.sql) & PERIOD_PARAMETERS:
        parameters = sql_parameters(run, period.previous())
        return _number(snapshot, TableQuery(tile.title, tile.sql, parameters), notes)
    return None


def _number(snapshot: Snapshot, query: TableQuery, notes: list[str]) -> Number | None:
    """Return the number of the first row; several rows are noted."""
    fetched = fetch_rows(snapshot, query, 1)
    if fetched.truncated:
        notes.append(
            f"{value_line(query.title)}: the SQL of this tile returns several rows; expected one:"
            " the first is shown."
        )
    value = fetched.rows[0][0] if fetched.rows else None
    return None if value is None else _tile_number(query.title, value, fetched.columns[0])


def _tile_number(title: str, value: str, column: Column) -> Number:
    if column.kind in NUMBERS:
        return Decimal(value)
    if column.kind is ColumnKind.TEXT:
        with suppress(ValueError):
            return number_of(value, TEXT)
    remedy = (
        f": {number_remedy(column)}"
        if column.kind is ColumnKind.MONEY or column.is_interval
        else ""
    )
    raise FormatError(f"{title}: {value[:40]!r} is not a valid tile; expected a number{remedy}")


def _chart(snapshot: Snapshot, run: ReportRun, chart: ChartDefinition) -> Chart:
    query = TableQuery(chart.title, chart.sql, sql_parameters(run))
    fetched = fetch_rows(snapshot, query, MAX_CHART_POINTS)
    if fetched.truncated:
        title = f"{fetched.title} (the first {MAX_CHART_POINTS})"
        fetched = replace(fetched, title=title)
    return chart_from_rows(fetched, chart.kind, chart.unit)
