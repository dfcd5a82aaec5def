"""Stream the rows of a query, formatted by the server, through COPY.

The server sends one row per message and the driver passes each to the sink, so only one row and a buffer
are in memory. Reads what the query reads; writes to the sink only.
"""

from typing import NamedTuple

import psycopg2
from psycopg2 import sql

from analytics_worker.database.answer_memory_limit import STREAM_MB, bounded_answer
from analytics_worker.database.reader_sessions import UserSqlError
from flows.reports.formats.query.sink import Sink
from flows.reports.formats.query.snapshot import Snapshot
from flows.reports.formats.query.statement import PreparedQuery, query_error


class CopyFormat(NamedTuple):
    """How COPY writes rows: its options, and what is between two cells."""

    options: str
    delimiter: bytes


CSV = CopyFormat("format csv", b",")
# JSON and XML never contain these bytes: with them as quote and delimiter, csv changes nothing.
VERBATIM = CopyFormat("format csv, quote e'\\x01', delimiter e'\\x02', null ''", b"\x02")


def copy_rows(
    snapshot: Snapshot, query: PreparedQuery, select: sql.Composable, options: str, sink: Sink
) -> int:
    """Stream the result of ``select`` to the sink; return the number of rows that it passed on.

    Raises:
        UserSqlError: the query failed.
        OSError: the sink failed; the snapshot can't be used any more.
        psycopg2.Error: the database is unavailable.
    """
    copy = sql.SQL("{}copy (\n{}\n) to stdout with ({})")
    statement = copy.format(query.mark, select, sql.SQL(options))
    try:
        with bounded_answer(STREAM_MB), snapshot.statement() as cursor:
            cursor.copy_expert(statement, sink)
            return sink.finish(cursor.rowcount)
    except psycopg2.Error as error:
        raise query_error(snapshot, error, query.title) from None
    except MemoryError:
        raise UserSqlError(f"{query.title}: a row needs more than {STREAM_MB} MB") from None


def limit_clause(limit: int | None) -> sql.Composable:
    """Return a LIMIT of one row more than ``limit``, which shows whether there are more rows."""
    return sql.SQL("") if limit is None else sql.SQL(" limit {}").format(sql.Literal(limit + 1))
