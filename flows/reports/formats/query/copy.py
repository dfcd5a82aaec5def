"""Rows of a query as the server writes them, streamed through COPY.

The server sends one row a message and the driver hands each to the sink; what is held at any moment
is one row and a buffer. Reads what the query reads; writes to the sink only.
"""

import psycopg2
from psycopg2 import sql

from flows.reports.formats.query.sink import Sink
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import Query, explained

# Bytes that never stand in JSON or in XML: with them as quote and delimiter, csv changes nothing.
VERBATIM = "format csv, quote e'\\x01', delimiter e'\\x02', null ''"


def copy_rows(
    snapshot: Snapshot, query: Query, select: sql.Composable, options: str, sink: Sink
) -> int:
    """Stream what ``select`` makes of the query's rows; how many rows the sink passed on.

    Raises:
        UserSqlError: the query failed.
        OSError: the sink can't take more. The snapshot is of no use any more.
        psycopg2.Error: the database is away.
    """
    statement = sql.SQL("copy (\n{}\n) to stdout with ({})").format(select, sql.SQL(options))
    try:
        with snapshot.statement() as cursor:
            cursor.copy_expert(statement, sink)
            return sink.finish(cursor.rowcount)
    except psycopg2.Error as error:
        raise explained(snapshot, error, query.title) from None


def capped(limit: int | None) -> sql.Composable:
    """A LIMIT one past the cap, so that the export knows whether there were more rows."""
    return sql.SQL("") if limit is None else sql.SQL(" limit {}").format(sql.Literal(limit + 1))
