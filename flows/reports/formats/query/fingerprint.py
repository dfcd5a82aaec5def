"""Fingerprint of all rows of a query: computed by the server, so that no row leaves it.

Reads what the query reads; writes nothing. The order of the rows does not matter. Two executions may
differ in the last digits of double precision, because sums depend on the order of their addends: these
columns are no part of the hash. They have sums, which are compared with a tolerance; each addend is
multiplied with a weight from the hash of its row, so that a value that moves to another row is seen.
"""

from dataclasses import replace
from typing import NamedTuple

from psycopg2 import sql

from flows.reports.formats.query.columns import Column, ColumnKind
from flows.reports.formats.query.fetch import fetch_prepared
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import column_identifier, prepare_query
from flows.reports.formats.registry import TableQuery

_WEIGHTED = "sum({}::double precision * (1 + r.hash % 1000 / 1000.0::double precision))::text as {}"
_ABSOLUTE = "sum(abs({}::double precision))::text as {}"


class Fingerprint(NamedTuple):
    """Number of rows, their hash, the sums of columns in double precision, and the names of all columns."""

    rows: int
    hash: str
    sums: tuple[tuple[str | None, str | None], ...]
    columns: tuple[str, ...]


def fetch_fingerprint(snapshot: Snapshot, query: TableQuery) -> Fingerprint:
    """Return the fingerprint of all rows of a query.

    Raises:
        UserSqlError: the query is at fault, or takes longer than the snapshot's limit.
        psycopg2.Error: the database is unavailable.
    """
    prepared = prepare_query(snapshot, query)
    floats = [n for n, column in enumerate(prepared.columns) if column.kind is ColumnKind.FLOAT]
    source = sql.SQL("(select {} from (select {} from {}) as r) as t").format(
        _aggregates(floats), _cells(prepared.columns, floats), prepared.source
    )
    ((rows, row_hash, *sums),) = fetch_prepared(snapshot, replace(prepared, source=source), 1)
    pairs = tuple(zip(sums[::2], sums[1::2], strict=True))
    return Fingerprint(int(rows or 0), row_hash or "0", pairs, prepared.names)


def _aggregates(floats: list[int]) -> sql.Composable:
    """Return the number of rows, the sum of their hashes, and two sums of each column of `floats`."""
    expressions: list[sql.Composable] = [
        sql.SQL("count(*)::text as c1"),
        sql.SQL("coalesce(sum(r.hash), 0)::text as c2"),  # of bigint: numeric, which has no limit
    ]
    for number in floats:
        cell = sql.SQL("r.{}").format(column_identifier(number))
        for template in (_WEIGHTED, _ABSOLUTE):
            name = column_identifier(len(expressions))
            expressions.append(sql.SQL(template).format(cell, name))
    return sql.SQL(", ").join(expressions)


def _cells(columns: tuple[Column, ...], floats: list[int]) -> sql.Composable:
    """Return the hash of a row, and its cells of `floats`, of which the hash has whether they are null."""
    hashed = [
        sql.SQL("q.{} is null" if number in floats else "q.{}").format(column_identifier(number))
        for number, _ in enumerate(columns)
    ]
    row = sql.SQL('hashtextextended(cast(row({}) as text) collate "C", 0) as hash').format(
        sql.SQL(", ").join(hashed)
    )
    cells = [sql.SQL("q.{}").format(column_identifier(number)) for number in floats]
    return sql.SQL(", ").join([row, *cells])
