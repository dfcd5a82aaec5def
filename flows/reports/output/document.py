"""Build the page of a report for every format: heading, tiles, charts, tables, notes.

Reads, in the given snapshot, what its tiles, charts and tables read, and through which instant that is
complete; writes nothing.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

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
from flows.reports.output.data_age import COMPLETE, data_state
from flows.reports.output.partial_periods import incomplete_text
from flows.reports.output.table_queries import TableQueries, held_text
from flows.reports.runs.model import FOLLOW_UP, ReportRun, run_period
from flows.reports.scheduling.period_parameters import PERIOD_PARAMETERS, sql_parameters

MAX_CHART_POINTS = 60


class TileNumber(NamedTuple):
    """The number of a tile, and how far another execution of its SQL may return another one."""

    value: Number | None
    is_approximate: bool
    is_first_of_several: bool


def report_document(
    snapshot: Snapshot, run: ReportRun, tables: TableQueries | None = None
) -> Document:
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
        complete_through=data.age.at if data.age.label == COMPLETE else None,
        period=period.text if period and run.kind != "ad_hoc" else "",
        description=report.description or "",
        tiles=[_tile(snapshot, run, number, notes) for number, _ in enumerate(report.tiles)],
        charts=[_chart(snapshot, run, number) for number, _ in enumerate(report.charts)],
        tables=_tables(snapshot, tables or TableQueries(run)) if with_tables else [],
        owner=report.owner or "",
        notes=list(dict.fromkeys(notes)),
    )


def _title(run: ReportRun) -> str:
    name = f"{run.report.heading} – {run.key}" if run.key else run.report.heading
    if run.unverified:
        return f"{name} (unverified: {', '.join(run.unverified)})"
    if run.kind == FOLLOW_UP:
        return f"{name} (with what was held)"
    return f"{name} (preliminary)" if run.is_preliminary else name


def _tables(snapshot: Snapshot, tables: TableQueries) -> list[FetchedRows]:
    report, queries = tables.run.report, tables.of_page()
    limit = min(report.page_rows, report.max_rows or report.page_rows)
    fetched = [fetch_table(snapshot, query, limit, report.max_rows) for query in queries]
    tables.add(
        {
            position: rows.fingerprint
            for position, (query, rows) in enumerate(zip(queries, fetched, strict=True))
            if query.hash_seconds is not None and not rows.truncated
        }
    )
    return fetched


def with_notes(document: Document, run: ReportRun, notes: Sequence[str]) -> Document:
    """Return the page with its warnings and notes."""
    warnings = [run.reason] if run.reason else []
    return replace(document, warnings=warnings, notes=[*run.report.notes, *notes])


def _tile(snapshot: Snapshot, run: ReportRun, position: int, notes: list[str]) -> Tile:
    tile = run.report.tiles[position]
    if held := held_text(run.held_part("tile", position)):
        return Tile(title=tile.title, value=None, incomplete=held)
    if incomplete := incomplete_text(snapshot, run, tile):
        return Tile(title=tile.title, value=None, incomplete=incomplete)
    number = _noted(tile_number(snapshot, run, tile), tile.title, notes)
    previous = _previous_number(snapshot, run, tile)
    return Tile(
        title=tile.title,
        previous=previous and _noted(previous, tile.title, notes).value,
        unit=tile.unit,
        decimals=tile.decimals,
        better=tile.better,
        **number._asdict(),
    )


def tile_number(snapshot: Snapshot, run: ReportRun, tile: TileDefinition) -> TileNumber:
    """Return the number of a tile for the period of the run."""
    return _number(snapshot, TableQuery(tile.title, tile.sql, sql_parameters(run)))


def _noted(number: TileNumber, title: str, notes: list[str]) -> TileNumber:
    """Return the number; note if the SQL returned several rows."""
    if number.is_first_of_several:
        notes.append(
            f"{value_line(title)}: the SQL of this tile returns several rows; expected one:"
            " the first is shown."
        )
    return number


def _previous_number(snapshot: Snapshot, run: ReportRun, tile: TileDefinition) -> TileNumber | None:
    """Return the number to compare with; None if the tile does not depend on a period."""
    period = run_period(run)
    if tile.previous:
        return _number(snapshot, TableQuery(tile.title, tile.previous, sql_parameters(run)))
    if period and placeholders(tile.sql) & PERIOD_PARAMETERS:
        parameters = sql_parameters(run, period.previous())
        return _number(snapshot, TableQuery(tile.title, tile.sql, parameters))
    return None


def _number(snapshot: Snapshot, query: TableQuery) -> TileNumber:
    fetched = fetch_rows(snapshot, query, 1)
    column, value = fetched.columns[0], fetched.rows[0][0] if fetched.rows else None
    return TileNumber(
        None if value is None else _tile_number(query.title, value, column),
        column.kind is ColumnKind.FLOAT,
        fetched.truncated,
    )


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


def _chart(snapshot: Snapshot, run: ReportRun, position: int) -> Chart:
    chart = run.report.charts[position]
    if held := held_text(run.held_part("chart", position)):
        return Chart(f"{chart.title} ({held})", [], [], chart.kind, chart.unit)
    return report_chart(snapshot, run, chart)


def report_chart(snapshot: Snapshot, run: ReportRun, chart: ChartDefinition) -> Chart:
    """Return a chart for the period of the run."""
    query = TableQuery(chart.title, chart.sql, sql_parameters(run))
    fetched = fetch_rows(snapshot, query, MAX_CHART_POINTS)
    if fetched.truncated:
        title = f"{fetched.title} (the first {MAX_CHART_POINTS})"
        fetched = replace(fetched, title=title)
    return chart_from_rows(fetched, chart.kind, chart.unit)
