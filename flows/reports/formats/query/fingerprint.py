"""Fingerprint of all rows of a query, computed by the server alone, so that no row leaves it.

Reads what the query reads; writes nothing.
"""

from dataclasses import replace

from psycopg2 import sql

from flows.reports.formats.query.columns import Column
from flows.reports.formats.query.fetch import fetch_prepared
from flows.reports.formats.query.row_hash import float_cells, hashed_source, row_hash
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import column_identifier, prepare_query
from flows.reports.formats.registry import Fingerprint, TableQuery

_WEIGHTED = "sum({} * (1 + abs(r.hash % 1000) / 1000.0::double precision))::text as {}"
_ABSOLUTE = "sum(abs({}))::text as {}"


def fetch_fingerprint(snapshot: Snapshot, query: TableQuery) -> Fingerprint:
    """Return the fingerprint of all rows of a query.

    Raises:
        UserSqlError: the query is at fault, or takes longer than the snapshot's limit.
        psycopg2.Error: the database is unavailable.
    """
    prepared = prepare_query(snapshot, query)
    floats = float_cells(prepared.columns)
    source = sql.SQL("(select {} from (select {} from {}) as r) as t").format(
        _aggregates(len(floats)), _cells(prepared.columns), hashed_source(prepared)
    )
    ((rows, total, *sums),) = fetch_prepared(snapshot, replace(prepared, source=source), 1)
    pairs = tuple(zip(sums[::2], sums[1::2], strict=True))
    return Fingerprint(int(rows or 0), total or "0", pairs, prepared.names)


def _aggregates(floats: int) -> sql.Composable:
    """Return the number of rows, the sum of their hashes, and two sums of each column in double precision."""
    expressions: list[sql.Composable] = [
        sql.SQL("count(*)::text as c1"),
        sql.SQL("coalesce(sum(r.hash), 0)::text as c2"),  # of bigint: numeric, which has no limit
    ]
    for number in range(floats):
        cell = sql.SQL("r.{}").format(column_identifier(number))
        for template in (_WEIGHTED, _ABSOLUTE):
            name = column_identifier(len(expressions))
            expressions.append(sql.SQL(template).format(cell, name))
    return sql.SQL(", ").join(expressions)


def _cells(columns: tuple[Column, ...]) -> sql.Composable:
    """Return the hash of a row, and its cells in double precision that are summed."""
    cells = [
        sql.SQL("{} as {}").format(cell, column_identifier(number))
        for number, cell in enumerate(float_cells(columns))
    ]
    return sql.SQL(", ").join([sql.SQL("{} as hash").format(row_hash(columns)), *cells])
