"""Find which relations each part of a report reads, by asking the server once for each statement.

Plans the SQL in the given snapshot; reads no rows and writes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping

from flows.reports.formats import Snapshot, TableQuery, explain_query
from flows.reports.runs.model import ReportRun
from flows.reports.scheduling.period_parameters import sql_parameters

OWN_SCHEMA = "ops"
"""What the worker knows of itself has no age."""

PartReads = Mapping[str, frozenset[tuple[str, str]]]
"""Schema and name of the relations that a statement reads, by its SQL."""


def part_reads(snapshot: Snapshot, run: ReportRun) -> PartReads:
    """Return what the statements of tiles, charts and tables read, views resolved.

    Raises:
        UserSqlError: a statement is at fault.
    """
    queries = {query.sql: query for query in _queries(run)}
    return {sql: _relations(snapshot, query) for sql, query in queries.items()}


def _queries(run: ReportRun) -> Iterator[TableQuery]:
    report, parameters = run.report, sql_parameters(run)
    for part in (*report.tiles, *report.charts, *report.tables):
        yield TableQuery(part.title, part.sql, parameters)
    for tile in report.tiles:
        if tile.previous:
            yield TableQuery(tile.title, tile.previous, parameters)


def joined_names(relations: Iterable[tuple[str, str]]) -> set[str]:
    """Return their schemas and names, joined by a dot, without quotes."""
    return {f"{schema}.{name}" for schema, name in relations}


def _relations(snapshot: Snapshot, query: TableQuery) -> frozenset[tuple[str, str]]:
    relations = explain_query(snapshot, query).relations
    return frozenset(each for each in relations if each[0] != OWN_SCHEMA)
