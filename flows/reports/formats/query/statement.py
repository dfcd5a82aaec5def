"""Prepare the SQL of one query: the server proves that it is one SELECT, and describes its columns.

Opening a cursor succeeds only for one complete statement that reads. Such a text can stand between the
parentheses of ``COPY (…) TO STDOUT``, and nothing in it can close them. So the boundary is the server's
parser, not a guess about SQL. Reads what the query reads; writes nothing.
"""

from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2 import errorcodes, sql
from psycopg2.errors import DeadlockDetected, SerializationFailure

from analytics_worker.database.answer_size_limit import too_large
from analytics_worker.database.overdue_sessions import mark, refuse_overdue
from analytics_worker.database.reader_sessions import UserSqlError, connection_loss_error
from analytics_worker.database.select_guard import (
    bind,
    check,
    literal,
    refuse_functions,
    without_semicolon,
)
from analytics_worker.database.server_messages import server_message
from analytics_worker.errors import sqlstate
from flows.reports.formats.query.columns import Column, columns_of
from flows.reports.formats.query.reader_columns import with_options
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.registry import FormatError, TableQuery

CURSOR = "report_query"
MAX_HASHED_COLUMNS = 1600
"""A list of columns can have 1,664, those that a format adds included."""


@dataclass(frozen=True)
class PreparedQuery:
    """A query that can be embedded in another statement, and its columns."""

    title: str
    source: sql.Composable
    columns: tuple[Column, ...]
    mark: sql.Composable
    """Comment that goes before the whole statement (`overdue_sessions`)."""
    hash_seconds: float | None = None
    held: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, which are unique."""
        return tuple(column.name for column in self.columns)


def prepare_query(snapshot: Snapshot, query: TableQuery) -> PreparedQuery:
    """Have the server check a query and describe its columns.

    Raises:
        UserSqlError: the query is at fault: refused, unknown names.
        FormatError: it has no columns, or not those that ``columns`` names.
        psycopg2.Error: the database is unavailable.
    """
    check(query.sql)
    refuse_functions(query.sql, snapshot.pool, snapshot.connection)
    refuse_overdue(query.sql, snapshot.overdue)
    text = bind(without_semicolon(query.sql), query.parameters, snapshot.connection)
    marked = mark(query.sql, snapshot.timeout)
    try:
        description = _describe(snapshot, text, marked)
    except psycopg2.Error as error:
        raise query_error(snapshot, error, query.title) from None
    if not description:
        raise FormatError(f"{query.title}: the query returns no columns; select at least one")
    columns = with_options(query.title, columns_of(description), query.columns)
    source, seconds = _source(text, len(columns)), query.hash_seconds
    return PreparedQuery(
        query.title,
        sql.SQL("(select * from {} limit 0) as q").format(source) if query.held else source,
        columns,
        sql.SQL(marked),
        seconds if len(columns) <= MAX_HASHED_COLUMNS else None,
        query.held,
    )


def _describe(snapshot: Snapshot, text: str, marked: str) -> Any:
    block = (
        f"declare result refcursor := '{CURSOR}';"
        f" begin open result no scroll for execute {literal(text, snapshot.connection)}; end"
    )
    with snapshot.statement() as cursor:
        cursor.execute(f"{marked}do {literal(block, snapshot.connection)}")
        cursor.execute(f"fetch forward 0 from {CURSOR}")
        description = cursor.description
        cursor.execute(f"close {CURSOR}")
    return description


def _source(text: str, width: int) -> sql.Composable:
    """Return ``(…) as q (c1, c2)``; the text has its own lines, so that a comment ends before ``)``."""
    names = sql.SQL(", ").join(column_identifier(number) for number in range(width))
    return sql.Composed([sql.SQL("(\n"), sql.SQL(text), sql.SQL("\n) as q ("), names, sql.SQL(")")])


def column_identifier(number: int) -> sql.Identifier:
    """Return the name of a column in a prepared query, which is never a name that a user chose."""
    return sql.Identifier(f"c{number + 1}")


def query_error(snapshot: Snapshot, error: psycopg2.Error, title: str) -> Exception:
    """Return the error for the author of the query, or of the database if that is unavailable."""
    if snapshot.connection.closed:
        return connection_loss_error(error, snapshot.connection, snapshot.pool.url)
    code = sqlstate(error)
    if code == errorcodes.QUERY_CANCELED:
        return UserSqlError(f"{title}: the query was cancelled or took too long")
    if isinstance(error, SerializationFailure | DeadlockDetected):  # as replication causes them
        return error
    message = too_large(error) or server_message(error)
    return UserSqlError(f"{title}: {message}")
