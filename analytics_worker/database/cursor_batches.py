"""Compose the SQL batches that reset a reader session and open a cursor for a user's statement.

Reads nothing, writes nothing. User SQL is a quoted text inside the block that opens the cursor.
"""

from datetime import timedelta
from typing import Any

from psycopg2 import sql as composing

from analytics_worker.database.answer_size_limit import bounded
from analytics_worker.database.select_guard import literal, without_semicolon

CURSOR = "user_sql"
# A rollback undoes everything that a statement in a cursor can do, except its locks.
RESET = "rollback; select pg_advisory_unlock_all()"


def milliseconds(timeout: timedelta) -> int:
    """Return a timeout as ``statement_timeout`` takes it; 0 would be none."""
    return max(1, int(timeout.total_seconds() * 1000))


def opening_batch(sql: str, timeout: timedelta | None, connection: Any) -> str:
    """Return SQL that resets the session, opens the cursor and returns a description of its columns.

    Args:
        sql: The user's statement.
        timeout: Its timeout; None for that of the session.
        connection: The connection, for which texts are quoted.
    """
    limit = f" set local statement_timeout = {milliseconds(timeout)};" if timeout else ""
    return (
        f"{RESET}; begin read only;{limit} {_open_cursor(sql, connection)};"
        f" fetch forward 0 from {CURSOR}"
    )


def _open_cursor(sql: str, connection: Any) -> str:
    block = (
        f"declare found refcursor := '{CURSOR}';"
        f" begin open found no scroll for execute {literal(sql, connection)}; end"
    )
    return f"do {literal(block, connection)}"


def reopening_batch(sql: str, row_cap: int, connection: Any) -> str:
    """Return SQL that opens the cursor again with a limit of bytes; the text was checked before."""
    source = composing.SQL("(\n{}\n) as s").format(composing.SQL(without_semicolon(sql)))
    text = bounded(source, row_cap + 1).as_string(connection)
    return f"close {CURSOR}; {_open_cursor(text, connection)}; "
