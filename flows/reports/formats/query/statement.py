"""The SQL of one query, proved to be one reading statement and described by the server.

A cursor takes a text as one complete reading statement or refuses it; what it took can stand
between the parentheses of ``COPY (…) TO STDOUT``, and nothing in it can close them. So the server's
parser is the boundary, and no guess about SQL made here. Reads what the query reads; writes nothing.
"""

from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errorcodes, sql

from analytics_worker.database.reader_sessions import UserSqlError, connection_loss_error
from analytics_worker.database.select_guard import (
    bind,
    check,
    literal,
    refuse_functions,
    without_semicolon,
)
from analytics_worker.database.sql_bounds import too_large
from analytics_worker.errors import sqlstate
from flows.reports.formats.query.columns import Column, columns_of
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.registry import FormatError, Table

CURSOR = "report_query"


@dataclass(frozen=True)
class Query:
    """A query that can be embedded, and its columns."""

    title: str
    source: sql.Composable
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, each once."""
        return tuple(column.name for column in self.columns)


def prepared(snapshot: Snapshot, table: Table) -> Query:
    """The query of a table, accepted by the server.

    Raises:
        UserSqlError: it is at fault: refused, unknown names, no columns.
        psycopg2.Error: the database is away.
    """
    check(table.sql)
    refuse_functions(table.sql, snapshot.pool, snapshot.connection)
    text = bind(without_semicolon(table.sql), table.parameters, snapshot.connection)
    try:
        description = _described(snapshot, text)
    except psycopg2.Error as error:
        raise explained(snapshot, error, table.title) from None
    if not description:
        raise FormatError(f"{table.title}: the query returns no columns; select at least one")
    columns = columns_of(description)
    return Query(table.title, _source(text, len(columns)), columns)


def _described(snapshot: Snapshot, text: str) -> Any:
    block = (
        f"declare found refcursor := '{CURSOR}';"
        f" begin open found no scroll for execute {literal(text, snapshot.connection)}; end"
    )
    with snapshot.statement() as cursor:
        cursor.execute(f"do {literal(block, snapshot.connection)}")
        cursor.execute(f"fetch forward 0 from {CURSOR}")
        description = cursor.description
        cursor.execute(f"close {CURSOR}")
    return description


def _source(text: str, width: int) -> sql.Composable:
    """``(…) as q (c1, c2)``, the text on lines of its own, so that a comment ends before ``)``."""
    names = sql.SQL(", ").join(place(number) for number in range(width))
    return sql.Composed([sql.SQL("(\n"), sql.SQL(text), sql.SQL("\n) as q ("), names, sql.SQL(")")])


def place(number: int) -> sql.Identifier:
    """Name of a column inside, which is never a name that a user chose."""
    return sql.Identifier(f"c{number + 1}")


def explained(snapshot: Snapshot, error: psycopg2.Error, title: str) -> Exception:
    """The error for the query's author, or the database's if it is away."""
    if snapshot.connection.closed:
        return connection_loss_error(error, snapshot.pool.url)
    code = sqlstate(error)
    if code == errorcodes.QUERY_CANCELED:
        return UserSqlError(f"{title}: stopped: it was cancelled or took too long")
    if isinstance(error, psycopg2.errors.SerializationFailure):
        return error
    diagnosis = error.diag
    sentence = too_large(error) or " ".join((diagnosis.message_primary or str(error)).split())
    position, inner = diagnosis.internal_position, diagnosis.internal_query
    if position and inner:
        line = inner[: int(position)].count("\n") + 1
        sentence += f" (line {line} of the SQL)"
    return UserSqlError(f"{title}: {sentence}")
