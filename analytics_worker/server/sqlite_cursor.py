"""Statements of the Prefect server's SQLite database in one step each, where SQLAlchemy takes four.

A connection is a thread, and what it does is requested by a message to it and answered by one to the event loop. SQLAlchemy
opens a cursor, executes, fetches all rows and closes the cursor with a pair of messages each, and rolls back
transactions that never began. Reads and writes what SQLAlchemy would; changes its classes in this process, once.
"""

import sqlite3
from collections import deque
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy.dialects.sqlite import aiosqlite
from typing_extensions import override

_rollback = aiosqlite.AsyncAdapt_aiosqlite_connection.rollback


class Answer(NamedTuple):
    """What a statement returned."""

    description: Any
    rows: deque[Any]
    last_row: int | None
    row_count: int


class OneStepCursor(aiosqlite.AsyncAdapt_aiosqlite_cursor):
    """A cursor that executes and fetches in one step."""

    __slots__ = ()

    @override
    def execute(self, operation: Any, parameters: Any = None) -> None:
        """Execute one statement, and keep all of its rows."""
        try:
            driver: Any = self._connection
            request = driver._execute(_execute, driver._conn, operation, parameters)  # noqa: SLF001
            answer: Answer = self.await_(request)
        except Exception as error:  # noqa: BLE001  # as SQLAlchemy does; it raises the error
            self._adapt_connection._handle_exception(error)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        self.description, self._rows = answer.description, answer.rows
        has_rows = answer.description is not None
        self.lastrowid = -1 if has_rows else answer.last_row
        self.rowcount = -1 if has_rows else answer.row_count


def _execute(connection: sqlite3.Connection, operation: str, parameters: Any) -> Answer:
    """Do it in the thread of the connection."""
    cursor = connection.cursor()
    try:
        cursor.execute(operation, () if parameters is None else parameters)
        rows = deque[Any](cursor.fetchall() if cursor.description else ())
        return Answer(cursor.description, rows, cursor.lastrowid, cursor.rowcount)
    finally:
        cursor.close()


def _cursor(
    connection: Any, server_side: bool = False
) -> aiosqlite.AsyncAdapt_aiosqlite_cursor:  # SQLAlchemy's signature
    kind = aiosqlite.AsyncAdapt_aiosqlite_ss_cursor if server_side else OneStepCursor
    return kind(connection)


def _rollback_if_begun(connection: Any) -> None:
    """Roll back what has begun: the driver begins no transaction itself, and most reads are not in one."""
    driver: sqlite3.Connection | None = connection._connection._connection  # noqa: SLF001  # None after it was closed
    if driver is None or driver.in_transaction:
        _rollback(connection)


@lru_cache(maxsize=1)
def use_one_step_cursors() -> None:
    """Let SQLAlchemy use them in this process."""
    connection = aiosqlite.AsyncAdapt_aiosqlite_connection
    setattr(connection, "cursor", _cursor)  # noqa: B010
    setattr(connection, "rollback", _rollback_if_begun)  # noqa: B010
