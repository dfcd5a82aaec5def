"""Build the page of a report for every format: heading, tiles, charts, tables, notes.

Reads, in the given snapshot, what its tiles, charts and tables read, and through which instant that is
complete; writes nothing. What lacks data of the period is marked.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from analytics_worker.database.select_guard import placeholders
from analytics_worker.database.server_values import TEXT, number_of
from analytics_worker.text import value_line
from analytics_worker.trust.facts import Facts
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
from flows.reports.output.part_reads import part_reads
from flows.reports.output.partial_marks import marked_chart, marked_table
from flows.reports.output.partial_periods import PartialPeriod, partial_period
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
    snapshot: Snapshot,
    run: ReportRun,
    tables: TableQueries | None = None,
    facts: Facts | None = None,
) -> Document:
    """Return the page of a run, without files; with tables if a format needs them, and notes.

    Args:
        snapshot: The snapshot of the report.
        run: The run.
        tables: How its tables are read; it gets the hash of each.
        facts: What is known of the data, if it was read for this run already.
    """
    report, period = run.report, run_period(run)
    reads = part_reads(snapshot, run)
    data, partial = data_state(snapshot, run, reads, facts), partial_period(run, reads)
    with_tables = any(get_format(name).document for name in report.format)
    table_notes = _table_notes(run, partial)
    notes: list[str] = [] if with_tables else list(table_notes)
    return Document(
        title=_title(run),
        data_as_of=data.age.text(report.timezone),
        data_as_of_label=data.age.label,
        trust=data.trust,
        complete_through=data.age.complete_through,
        data_changed_at=data.age.changed_at,
        period=period.text if period and run.kind != "ad_hoc" else "",
        description=report.description or "",
        tiles=[_tile(snapshot, run, number, partial, notes) for number in range(len(report.tiles))],
        charts=[_chart(snapshot, run, number, partial) for number in range(len(report.charts))],
        tables=_tables(snapshot, tables or TableQueries(run), partial) if with_tables else [],
        table_notes=table_notes,
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


def _table_notes(run: ReportRun, partial: PartialPeriod) -> list[str]:
    """Return a note for each table that lacks data of the period."""
    texts = [(table.title, partial.text(table.sql)) for table in run.report.tables]
    return [f"{value_line(title)}: {text}" for title, text in texts if text]


def _tables(snapshot: Snapshot, tables: TableQueries, partial: PartialPeriod) -> list[FetchedRows]:
    report, queries = tables.run.report, tables.of_page()
    limit = min(report.page_rows, report.max_rows or report.page_rows)
    fetched = [fetch_table(snapshot, query, limit, report.max_rows) for query in queries]
    pairs = list(zip(fetched, queries, strict=True))
    tables.add(
        {
            position: rows.fingerprint
            for position, (rows, query) in enumerate(pairs)
            if query.hash_seconds is not None and not rows.truncated
        }
    )
    return [marked_table(rows, query.sql, partial) for rows, query in pairs]


def with_notes(document: Document, run: ReportRun, notes: Sequence[str]) -> Document:
    """Return the page with its warnings and notes."""
    warnings = [run.reason] if run.reason else []
    return replace(document, warnings=warnings, notes=[*run.report.notes, *notes])


def _tile(
    snapshot: Snapshot, run: ReportRun, position: int, partial: PartialPeriod, notes: list[str]
) -> Tile:
    tile = run.report.tiles[position]
    if held := held_text(run.held_part("tile", position)):
        return Tile(title=tile.title, value=None, incomplete=held)
    incomplete = "" if tile.include_partial else partial.text(tile.sql)
    if incomplete:
        return Tile(title=tile.title, value=None, incomplete=incomplete)
    number = _noted(tile_number(snapshot, run, tile), tile.title, notes)
    previous = _previous_number(snapshot, run, tile, partial)
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


def _previous_number(
    snapshot: Snapshot, run: ReportRun, tile: TileDefinition, partial: PartialPeriod
) -> TileNumber | None:
    """Return the number to compare with; None if the tile does not depend on a period, or data of it is missing."""
    period = run_period(run)
    if tile.previous:
        since = partial.incomplete_since(tile.previous)
        if since and since < run.start and not tile.include_partial:
            return None
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


def _chart(snapshot: Snapshot, run: ReportRun, position: int, partial: PartialPeriod) -> Chart:
    chart = run.report.charts[position]
    if held := held_text(run.held_part("chart", position)):
        return Chart(f"{chart.title} ({held})", [], [], chart.kind, chart.unit)
    return _page_chart(snapshot, run, chart, partial)


def report_chart(snapshot: Snapshot, run: ReportRun, chart: ChartDefinition) -> Chart:
    """Return a chart for the period of the run."""
    return chart_from_rows(_chart_rows(snapshot, run, chart), chart.kind, chart.unit)


def _page_chart(
    snapshot: Snapshot, run: ReportRun, chart: ChartDefinition, partial: PartialPeriod
) -> Chart:
    """Return a chart, with a mark at the points that lack data of the period."""
    fetched = _chart_rows(snapshot, run, chart)
    found = chart_from_rows(fetched, chart.kind, chart.unit)
    return marked_chart(found, fetched, chart.sql, partial)


def _chart_rows(snapshot: Snapshot, run: ReportRun, chart: ChartDefinition) -> FetchedRows:
    query = TableQuery(chart.title, chart.sql, sql_parameters(run))
    fetched = fetch_rows(snapshot, query, MAX_CHART_POINTS)
    if fetched.truncated:
        title = f"{fetched.title} (the first {MAX_CHART_POINTS})"
        fetched = replace(fetched, title=title)
    return fetched
