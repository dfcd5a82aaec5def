"""SQL that users wrote, run where it can do no harm, on a connection that is kept for many of it.

Reads what the SELECT-only role may read; writes nothing. Each statement gets one round trip that
resets the session, applies the limits, and runs the statement in a cursor:

* a cursor takes one reading statement, so a second one, DML, DDL and transaction control are errors
  of the server itself; the SQL is a quoted text inside the block that opens it;
* the transaction is read only and is always rolled back, and with it every setting; what outlives a
  transaction are locks, which are given up, and ``DISCARD ALL`` follows when the connection goes back;
* the server stops it after its time; if it does not answer, a watchdog cancels from this side.
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import psycopg2
from psycopg2 import errorcodes, extensions

from toolkit.circuit_breaker import db_circuit_breaker
from toolkit.database import application_name, engine
from toolkit.errors import PermanentError, is_database_outage, sqlstate
from toolkit.one_statement import bind, literal, refuse_functions
from toolkit.telemetry import QUERY, timed
from toolkit.watchdog import watching

DEFAULT_TIMEOUT = timedelta(seconds=10)
DEFAULT_ROW_CAP = 1000
CURSOR = "user_sql"

# All that a statement in a cursor can leave behind: what it set is rolled back, what it locked is not.
_RESET = "rollback; select pg_advisory_unlock_all()"
# Of the session, so that a rollback returns to them. All rows are fetched: plan for the last one, too.
_SETTINGS = (
    "set idle_in_transaction_session_timeout = '1min'; set client_connection_check_interval = 5000;"
    " set cursor_tuple_fraction = 1; set standard_conforming_strings = on"
)
_GONE = {errorcodes.ADMIN_SHUTDOWN, errorcodes.CRASH_SHUTDOWN, errorcodes.CANNOT_CONNECT_NOW}


class UserSqlError(PermanentError):
    """The statement failed, and its author is the one to do something about it."""


@dataclass(frozen=True)
class Table:
    """What a statement returned, at most as many rows as the cap allows."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]] = field(repr=False)


@contextmanager
def reader_session() -> Generator["ReaderSession"]:
    """A kept connection of the SELECT-only role; for one thread.

    Raises:
        CircuitOpenError: the database is known to be down; nothing was tried.
    """
    with db_circuit_breaker.calling():
        session = ReaderSession(application_name())
        try:
            yield session
        finally:
            session.close()


class ReaderSession:
    """Runs one statement after the other; each finds a session that knows nothing of the last."""

    def __init__(self, name: str) -> None:
        """Connects at the first statement."""
        self._name = name
        self._pooled: Any = None

    def fetch(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: timedelta = DEFAULT_TIMEOUT,
        row_cap: int = DEFAULT_ROW_CAP,
    ) -> Table:
        """Rows of one statement.

        Raises:
            UserSqlError: the statement is at fault: refused, too slow, too many rows.
            psycopg2.Error: the database is away.
        """
        connection = self._connection()
        refuse_functions(sql, engine("reader"), connection)
        message = self._message(
            connection, bind(sql, parameters or {}, connection), timeout, row_cap
        )
        try:
            with timed(QUERY, "user"), watching(connection, timeout), connection.cursor() as cursor:
                cursor.execute(message)
                rows = cursor.fetchall()
                columns = [column.name for column in cursor.description]
        except psycopg2.Error as error:
            raise self._explained(error, timeout) from None
        if len(rows) > row_cap:
            raise UserSqlError(f"more than {row_cap} rows; aggregate in SQL or raise row_cap")
        return Table(columns, rows)

    def _message(self, connection: Any, sql: str, timeout: timedelta, row_cap: int) -> str:
        milliseconds = max(1, int(timeout.total_seconds() * 1000))
        block = (
            f"declare found refcursor := '{CURSOR}';"
            f" begin open found no scroll for execute {literal(sql, connection)}; end"
        )
        return (
            f"{_RESET}; begin read only;"
            f" set local statement_timeout = {milliseconds};"
            f" do {literal(block, connection)}; fetch forward {row_cap + 1} from {CURSOR}"
        )

    def _connection(self) -> Any:
        if self._pooled is None:
            self._pooled = engine("reader").raw_connection()
            connection = self._pooled.driver_connection
            connection.autocommit = True
            name = literal(self._name, connection)
            connection.cursor().execute(f"set application_name = {name}; {_SETTINGS}")
        return self._pooled.driver_connection

    def _explained(self, error: psycopg2.Error, timeout: timedelta) -> Exception:
        """The error for the statement's author, or the driver's own if the database is away."""
        code = sqlstate(error)
        if code == errorcodes.QUERY_CANCELED:
            return UserSqlError(f"stopped after {timeout.total_seconds():g} s (timeout)")
        if is_database_outage(error) or code in _GONE:
            self._drop()
            return error
        return UserSqlError(_sentence(error))

    def _drop(self) -> None:
        if self._pooled is not None:
            self._pooled.invalidate()
            self._pooled = None

    def close(self) -> None:
        """Give the connection back to the pool, reset."""
        if self._pooled is None:
            return
        connection = self._pooled.driver_connection
        if connection.closed or connection.info.transaction_status not in {
            extensions.TRANSACTION_STATUS_IDLE,
            extensions.TRANSACTION_STATUS_INTRANS,
            extensions.TRANSACTION_STATUS_INERROR,
        }:
            self._drop()
            return
        connection.cursor().execute(_RESET)
        connection.autocommit = False
        self._pooled.close()
        self._pooled = None


def _sentence(error: psycopg2.Error) -> str:
    """The server's message in one line, with the line of the user's SQL that it is about."""
    diagnosis = error.diag
    message = " ".join((diagnosis.message_primary or str(error)).split())
    position, query = diagnosis.internal_position, diagnosis.internal_query
    if position and query:
        line = query[: int(position)].count("\n") + 1
        message += f" (line {line} of the SQL)"
    hint = diagnosis.message_hint
    return f"{message}. {' '.join(hint.split())}" if hint else message
