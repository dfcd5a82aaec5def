"""Sums of the columns that have a total: of all rows, computed by the server in the same snapshot.

Reads what the query reads; writes nothing.
"""

from dataclasses import replace

from psycopg2 import sql

from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.fetch import FetchedRows, fetch_prepared, fetch_rows
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import PreparedQuery, column_identifier, prepare_query
from flows.reports.formats.registry import TableQuery

Totals = tuple[str | None, ...]


def fetch_table(
    snapshot: Snapshot, query: TableQuery, limit: int, max_rows: int | None
) -> FetchedRows:
    """Return the first rows of a query for a page, with the totals of its first ``max_rows`` rows.

    Raises:
        UserSqlError: the query is at fault, or its rows exceed USER_SQL_MAX_MB.
        SQLAlchemyError: the database is unavailable.
    """
    fetched = fetch_rows(snapshot, query, limit)
    if not fetched.rows or not any(column.options.total for column in fetched.columns):
        return fetched
    totals = fetch_totals(snapshot, prepare_query(snapshot, query), max_rows)
    return replace(fetched, totals=totals)


def fetch_totals(snapshot: Snapshot, query: PreparedQuery, max_rows: int | None) -> Totals | None:
    """Return the sum of each column with a total; None if no column has one."""
    if not any(column.options.total for column in query.columns):
        return None
    sums = [_sum(number, column) for number, column in enumerate(query.columns)]
    limit = sql.SQL("") if max_rows is None else sql.SQL(" limit {}").format(sql.Literal(max_rows))
    source = sql.SQL("(select {} from (select * from {}{}) as r) as t").format(
        sql.SQL(", ").join(sums), query.source, limit
    )
    (totals,) = fetch_prepared(snapshot, replace(query, source=source), 1)
    return totals


def _sum(number: int, column: Column) -> sql.Composable:
    """Return SQL for the sum of a column as text; of exact numbers, which have no greatest one."""
    cell = column_identifier(number)
    if not column.options.total:
        return sql.SQL("null::text as {}").format(cell)
    cast = "bigint::numeric" if column.kind is ColumnKind.INTEGER else "numeric"  # oid has one cast
    return sql.SQL(f"sum({{}}::{cast})::text as {{}}").format(cell, cell)
