"""What a report says to people, whatever its format: heading, numbers, pictures, tables, notes.

Reads what its tiles, charts and tables read, in the snapshot that it is given, and when the
materialized views among that were refreshed; writes nothing.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.database.select_guard import placeholders
from flows.reports.definitions import model
from flows.reports.definitions.validation import PERIOD
from flows.reports.formats import (
    Chart,
    Document,
    FormatError,
    Found,
    Snapshot,
    Table,
    Tile,
    chart_of,
    fetch,
    format_named,
    planned,
)
from flows.reports.formats.pages.document import Number
from flows.reports.output.files import run_period, table, values
from flows.reports.runs.store import Run

CHART_POINTS = 60


def page(moment: Snapshot, run: Run, now: datetime) -> Document:
    """The page of a run, without files and notes; with tables if one of its formats is a page."""
    report, period = run.report, run_period(run)
    as_of = _data_as_of(moment, run, now).astimezone(ZoneInfo(report.timezone))
    rows = min(report.page_rows, report.max_rows or report.page_rows)
    with_tables = any(format_named(name).document for name in report.format)
    return Document(
        title=f"{report.heading} – {run.key}" if run.key else report.heading,
        data_as_of=f"{as_of:%Y-%m-%d %H:%M %Z}",
        period=period.text if period and run.kind != "ad_hoc" else "",
        description=report.description or "",
        tiles=[_tile(moment, run, tile) for tile in report.tiles],
        charts=[_chart(moment, run, chart) for chart in report.charts],
        tables=[fetch(moment, table(q, run), rows) for q in report.tables] if with_tables else [],
        owner=report.owner or "",
    )


def _data_as_of(moment: Snapshot, run: Run, now: datetime) -> datetime:
    """Now, or when the oldest of the materialized views that the report reads was refreshed."""
    report = run.report
    queries = [*report.tiles, *report.charts, *report.tables]
    tables = [Table(query.title, query.sql, values(run)) for query in queries]
    relations = frozenset[str]().union(*(planned(moment, each).relations for each in tables))
    with warehouse() as connection:
        (row,) = run_sql(connection, "reports/data_as_of", relations=sorted(relations))
    return row["at"] or now


def with_notes(document: Document, run: Run, notes: Sequence[str]) -> Document:
    """The page and what its readers must know."""
    warnings = [run.reason] if run.reason else []
    return replace(document, warnings=warnings, notes=[*run.report.notes, *notes])


def _tile(moment: Snapshot, run: Run, tile: model.Tile) -> Tile:
    return Tile(
        title=tile.title,
        value=_number(moment, Table(tile.title, tile.sql, values(run))),
        previous=_before(moment, run, tile),
        unit=tile.unit,
        decimals=tile.decimals,
        better=tile.better,
    )


def _before(moment: Snapshot, run: Run, tile: model.Tile) -> Number | None:
    """The number to compare with; none if the tile is not about a period."""
    period = run_period(run)
    if tile.previous:
        return _number(moment, Table(tile.title, tile.previous, values(run)))
    if period and placeholders(tile.sql) & PERIOD:
        return _number(moment, Table(tile.title, tile.sql, values(run, period.before())))
    return None


def _number(moment: Snapshot, query: Table) -> Number | None:
    """The one number of a tile."""
    found = fetch(moment, query, 1)
    value = found.rows[0][0] if found.rows else None
    if value is None or isinstance(value, Number):
        return value
    raise FormatError(f"{query.title}: a tile shows a number, not {str(value)[:40]!r}")


def _chart(moment: Snapshot, run: Run, chart: model.Chart) -> Chart:
    found = fetch(moment, Table(chart.title, chart.sql, values(run)), CHART_POINTS)
    return chart_of(_named_if_cut(found), chart.kind, chart.unit)


def _named_if_cut(found: Found) -> Found:
    """A chart that can't show everything says so in its title."""
    title = f"{found.title} (the first {CHART_POINTS})"
    return replace(found, title=title) if found.truncated else found
