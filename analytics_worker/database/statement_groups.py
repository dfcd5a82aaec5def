"""Run several quick statements of users in one message to the server, each apart from the others.

Reads what the statements read; writes nothing. A block opens a cursor for each statement in a subtransaction
that always ends with an error, which undoes settings and releases locks, and keeps the rows in variables.
Only an ordinary result is taken from here: a few short rows of PostgreSQL's own types. A statement that
fails, is slow, or has no row or many is missing, and its caller runs it alone.
"""

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any, NamedTuple, cast

from psycopg2.extras import CompositeCaster

from analytics_worker.database.answer_memory_limit import bounded_answer, small_answer_mb
from analytics_worker.database.cursor_batches import CURSOR, RESET, milliseconds
from analytics_worker.database.overdue_sessions import mark
from analytics_worker.database.query_canceller import cancel_on_timeout
from analytics_worker.database.query_rows import QueryRows, TimedRows
from analytics_worker.database.reader_sessions import ReaderSession
from analytics_worker.database.select_guard import literal
from analytics_worker.errors import PermanentError
from analytics_worker.telemetry import QUERY, observe
from analytics_worker.tracing import record_statement

GROUP_TIMEOUT = timedelta(seconds=1)
"""For all statements of a group; when it has passed, each of them is run alone."""
MAX_BYTES = 2000
"""Of the rows of one statement in a group, as the server stores them."""
FIRST_OWN_OID = 10_000
"""Types of extensions and users have higher OIDs; a domain hides its base type here, and does not where it runs alone."""
Result = tuple[int, str, memoryview, str, float]
"""One row: position of its statement, its columns as JSON, its types in binary form, its text, seconds."""

_BLOCK = """declare
  statements constant text[] := array[{statements}];
  statement refcursor; result refcursor := '{cursor}';
  line record; columns text; header bytea; texts text[]; bytes int; complete boolean; started timestamptz;
  positions int[] := '{{}}'; all_columns text[] := '{{}}'; headers bytea[] := '{{}}';
  lines text[] := '{{}}'; seconds float8[] := '{{}}'; size int;
begin
  for position in 1..cardinality(statements) loop
    complete := false; texts := '{{}}'; bytes := 0; started := clock_timestamp();
    begin
      open statement no scroll for execute statements[position];
      fetch statement into line;
      while found and bytes <= {max_bytes} loop
        bytes := bytes + pg_column_size(line);
        exit when bytes > {max_bytes};
        if cardinality(texts) = 0 then
          columns := row_to_json(line)::text; header := record_send(line);
        end if;
        texts := texts || line::text;
        fetch statement into line;
      end loop;
      complete := bytes <= {max_bytes};
      raise exception using errcode = 'AW000';
    exception when others then null;
    end;
    perform pg_advisory_unlock_all();
    if complete and cardinality(texts) > 0 then
      size := cardinality(texts);
      positions := positions || array_fill(position, array[size]);
      all_columns := all_columns || array_fill(columns, array[size]);
      headers := headers || array_fill(header, array[size]);
      lines := lines || texts;
      seconds := seconds || array_fill(extract(epoch from clock_timestamp() - started)::float8, array[size]);
    end if;
  end loop;
  open result for select * from unnest(positions, all_columns, headers, lines, seconds);
end"""


class Statement(NamedTuple):
    """A user's statement with the values of its parameters."""

    sql: str
    parameters: Mapping[str, Any]


def fetch_together(session: ReaderSession, statements: Sequence[Statement]) -> dict[int, TimedRows]:
    """Return the rows of quick statements by position, from one message.

    A statement that is refused, fails or has an unusual result is missing: fetch it alone.

    Raises:
        SQLAlchemyError: the database is unavailable.
    """
    connection = session.connect()
    texts = {n: text for n, each in enumerate(statements) if (text := _bound(session, each))}
    if not texts:
        return {}
    try:
        found = _run(connection, list(texts.values()))
    except Exception:  # noqa: BLE001  # each statement is run alone and has its own error
        if connection.closed:
            session.invalidate()
        return {}
    positions = list(texts)
    for n, rows in found.items():
        observe(rows.seconds, QUERY, "user")
        record_statement(statements[positions[n]].sql, rows.seconds)
    return {positions[n]: rows for n, rows in found.items()}


def _bound(session: ReaderSession, statement: Statement) -> str | None:
    """Return the text with its parameters, or None if the statement is refused."""
    try:
        return session.bind(statement.sql, statement.parameters)
    except PermanentError:
        return None


def _run(connection: Any, texts: Sequence[str]) -> dict[int, TimedRows]:
    with (
        bounded_answer(small_answer_mb()),
        cancel_on_timeout(connection, GROUP_TIMEOUT),
        connection.cursor() as cursor,
    ):
        batch = mark("\n".join(texts), GROUP_TIMEOUT) + group_batch(texts, connection)
        cursor.execute(batch)
        return rows_by_position(cursor.fetchall())


def group_batch(statements: Sequence[str], connection: Any) -> str:
    """Return SQL that resets the session, runs the statements and returns rows as `Result`."""
    texts = ", ".join(literal(each, connection) for each in statements)
    block = _BLOCK.format(statements=texts, cursor=CURSOR, max_bytes=MAX_BYTES)
    return (
        f"{RESET}; begin read only; set local statement_timeout = {milliseconds(GROUP_TIMEOUT)};"
        f" do {literal(block, connection)}; fetch all from {CURSOR}"
    )


def rows_by_position(results: Iterable[Result]) -> dict[int, TimedRows]:
    """Return the rows of each statement by its position, which begins at 0."""
    found: dict[int, TimedRows] = {}
    for position, columns, header, line, seconds in results:
        known = found.get(position - 1)
        table = known.table if known else _table(columns, header)
        row = tuple(CompositeCaster.tokenize(line))
        if known is None and table and len(row) == len(table.columns):
            found[position - 1] = TimedRows(table, seconds)
        if table:
            cast("list[tuple[str | None, ...]]", table.rows).append(row)
    return found


def _table(columns: str, header: memoryview) -> QueryRows | None:
    """Return a table without rows, or None if a type is not PostgreSQL's own."""
    names = [name for name, _ in json.loads(columns, object_pairs_hook=list)]
    types = _types(header)
    if len(types) != len(names) or max(types, default=FIRST_OWN_OID) >= FIRST_OWN_OID:
        return None
    return QueryRows(names, types, [])


def _types(record: memoryview) -> list[int]:
    """Return the type OIDs of a record in the binary form of ``record_send``."""
    (count,), offset, types = struct.unpack_from("!i", record), 4, list[int]()
    for _ in range(count):
        oid, length = struct.unpack_from("!Ii", record, offset)
        types.append(oid)
        offset += 8 + max(length, 0)
    return types
