"""Find the relations that the SQL of a report reads, by asking the server.

Plans each statement as the report's reader; reads no rows and writes nothing.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.select_guard import placeholders
from analytics_worker.errors import PermanentError
from analytics_worker.lineage.column_reads import ColumnReads, column_reads
from flows.reports.definitions.model import Report
from flows.reports.scheduling.report_periods import ReportPeriod


class PlannedRelations(NamedTuple):
    """The quoted names of the relations, what may be read of them, and the errors of statements that can't be planned."""

    relations: list[str]
    columns: list[ColumnReads]
    errors: list[str]


def read_relations(report: Report, period: ReportPeriod) -> list[str]:
    """Return the quoted names of the relations that the report reads, also through views.

    A statement with an error reads none here: the run of the report reports the error.
    """
    return planned_relations(report, period).relations


def planned_relations(report: Report, period: ReportPeriod) -> PlannedRelations:
    """Return the relations that the report reads, and the errors of its statements."""
    return planned_statements(report, period, _statements(report))


def planned_statements(
    report: Report, period: ReportPeriod, statements: Iterable[str]
) -> PlannedRelations:
    """Return the relations that some statements of a report read, and their errors."""
    values = {
        **{name: each.driver_value for name, each in report.parameters.items()},
        "period_start": period.start,
        "period_end": period.end,
    }
    found, columns, errors = set[str](), list[ColumnReads](), list[str]()
    with reader_session(report.reader) as session:
        for sql in statements:
            # The values of the rows of `for_each` are unknown, and don't decide what is read.
            unknown = dict.fromkeys(placeholders(sql) - values.keys())
            try:
                relations = session.relations(sql, {**unknown, **values})
            except PermanentError as error:
                errors.append(str(error))
            else:
                found.update(relations)
                columns += column_reads(sql, relations)
    return PlannedRelations(sorted(found), columns, errors)


def _statements(report: Report) -> Iterator[str]:
    yield from (table.sql for table in report.tables)
    yield from (chart.sql for chart in report.charts)
    for tile in report.tiles:
        yield from (sql for sql in (tile.sql, tile.previous) if sql)
    if report.for_each:
        yield report.for_each.sql
