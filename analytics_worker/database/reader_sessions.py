"""SQL that users wrote, run where it can do no harm, on a connection that is kept for many of it.

Reads what the SELECT-only role may read; writes nothing. Each statement gets one round trip that
resets the session, applies the limits, and runs the statement in a cursor:

* a cursor takes one reading statement, so a second one, DML, DDL and transaction control are errors
  of the server itself; the SQL is a quoted text inside the block that opens it;
* the transaction is read only and is always rolled back, and with it every setting; what outlives a
  transaction are locks, which are given up, and ``DISCARD ALL`` follows when the connection goes back;
* of rows that may be large, the server adds up the bytes, and stops before it sends too many;
* the server stops it after its time; if it does not answer, a watchdog cancels from this side.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errorcodes, extensions
from psycopg2 import sql as composing
from sqlalchemy.engine import URL
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database.connections import (
    application_name,
    direct,
    reader_engine,
    reader_url,
)
from analytics_worker.database.overdue_sessions import mark, overdue_sessions, refuse_overdue
from analytics_worker.database.query_canceller import ignored_cancellation, watching
from analytics_worker.database.select_guard import (
    bind,
    literal,
    refuse_functions,
    without_semicolon,
)
from analytics_worker.database.sql_bounds import bounded, is_small, too_large
from analytics_worker.errors import PermanentError, sqlstate
from analytics_worker.telemetry import QUERY, timed

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
T = TypeVar("T")


class UserSqlError(PermanentError):
    """The statement failed, and its author is the one to do something about it."""


@dataclass(frozen=True)
class Table:
    """What a statement returned, at most as many rows as the cap allows."""

    columns: Sequence[str]
    rows: Sequence[tuple[Any, ...]] = field(repr=False)


class SessionEndedError(UserSqlError):
    """Somebody ended the session, and the server is well: worth one more attempt."""


@contextmanager
def reader_session(reader: str | None = None) -> Generator["ReaderSession"]:
    """A kept connection of a SELECT-only role; for one thread.

    Args:
        reader: Name of a role in READER_DATABASE_URLS; the usual one by default.

    Raises:
        CircuitOpenError: the database is known to be down; nothing was tried.
    """
    with reader_sessions() as session_of:
        yield session_of(reader)


@contextmanager
def reader_sessions() -> Generator[Callable[[str | None], "ReaderSession"]]:
    """A kept connection for each SELECT-only role that is asked for; for one thread.

    Raises:
        CircuitOpenError: the database is known to be down; nothing was tried.
    """
    sessions: dict[str | None, ReaderSession] = {}

    def session_of(reader: str | None) -> ReaderSession:
        return sessions.setdefault(reader, ReaderSession(application_name(), reader))

    with db_circuit_breaker.calling(), ExitStack() as stack:
        stack.callback(lambda: [session.close() for session in sessions.values()])
        yield session_of


def once_more(action: Callable[[], T]) -> T:
    """Do something; once more if somebody ended its session."""
    try:
        return action()
    except SessionEndedError:
        return action()


def after_loss(error: psycopg2.Error, connection: Any, url: URL) -> Exception:
    """What a lost connection means: the database is down only if there is no new one either."""
    if reason := ignored_cancellation(connection):
        return UserSqlError(reason)
    try:
        with direct(url):
            reason = " ".join(str(error).split())[:200]
            return SessionEndedError(f"the session was ended while the SQL ran: {reason}")
    except SQLAlchemyError as outage:
        return outage


class ReaderSession:
    """Runs one statement after the other; each finds a session that knows nothing of the last."""

    def __init__(self, name: str, reader: str | None = None) -> None:
        """Connects at the first statement."""
        self._name = name
        self._reader = reader
        self._pooled: Any = None
        self._overdue: Mapping[str, int] = {}

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
            UserSqlError: the statement is at fault: refused, too slow, too many rows or bytes.
            SQLAlchemyError: the database is away.
        """
        table = once_more(lambda: self._fetch(sql, parameters or {}, timeout, row_cap))
        if len(table.rows) > row_cap:
            raise UserSqlError(f"more than {row_cap} rows; aggregate in SQL or raise row_cap")
        return table

    def _fetch(
        self, sql: str, parameters: Mapping[str, Any], timeout: timedelta, row_cap: int
    ) -> Table:
        connection = self._connection()
        refuse_functions(sql, reader_engine(self._reader), connection)
        refuse_overdue(sql, self._overdue)
        text = bind(sql, parameters, connection)
        try:
            with timed(QUERY, "user"), watching(connection, timeout), connection.cursor() as cursor:
                cursor.execute(mark(sql, timeout) + _opening(text, timeout, connection))
                again = (
                    ""
                    if is_small(cursor.description, row_cap + 1)
                    else _again(text, row_cap, connection)
                )
                cursor.execute(f"{again}fetch forward {row_cap + 1} from {CURSOR}")
                rows = cursor.fetchall()
                columns = [column.name for column in cursor.description]
        except psycopg2.Error as error:
            raise self._explained(error, timeout) from None
        except Exception as error:  # noqa: BLE001  # the driver raises what a value provokes
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserSqlError(f"a value can't be read ({reason}); cast it to text") from None
        return Table(columns, rows)

    def _connection(self) -> Any:
        if self._pooled is None:
            self._pooled = reader_engine(self._reader).raw_connection()
            connection = self._pooled.driver_connection
            connection.autocommit = True
            name = literal(self._name, connection)
            connection.cursor().execute(f"set application_name = {name}; {_SETTINGS}")
            self._overdue = overdue_sessions(connection)
        return self._pooled.driver_connection

    def _explained(self, error: psycopg2.Error, timeout: timedelta) -> Exception:
        """The error for the statement's author, or the database's if it is away.

        Whatever the SQLSTATE: functions raise any. Only a connection that is gone is one.
        """
        connection = self._pooled.driver_connection
        if connection.closed:
            self._drop()
            return after_loss(error, connection, reader_url(self._reader))
        if sqlstate(error) == errorcodes.QUERY_CANCELED:
            return UserSqlError(f"stopped after {timeout.total_seconds():g} s (timeout)")
        return UserSqlError(too_large(error) or _sentence(error))

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


def _opening(sql: str, timeout: timedelta, connection: Any) -> str:
    """The message that resets the session and opens the cursor; its answer describes the columns."""
    milliseconds = max(1, int(timeout.total_seconds() * 1000))
    return (
        f"{_RESET}; begin read only; set local statement_timeout = {milliseconds};"
        f" {_open(sql, connection)}; fetch forward 0 from {CURSOR}"
    )


def _open(sql: str, connection: Any) -> str:
    block = (
        f"declare found refcursor := '{CURSOR}';"
        f" begin open found no scroll for execute {literal(sql, connection)}; end"
    )
    return f"do {literal(block, connection)}"


def _again(sql: str, row_cap: int, connection: Any) -> str:
    """Open the cursor for the same rows with a bound on their bytes; the text was proved before."""
    source = composing.SQL("(\n{}\n) as s").format(composing.SQL(without_semicolon(sql)))
    text = bounded(source, row_cap + 1).as_string(connection)
    return f"close {CURSOR}; {_open(text, connection)}; "


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
