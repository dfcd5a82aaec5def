"""Run user SQL on kept connections of SELECT-only roles, where it can do no harm.

Reads what the SELECT-only role may read; writes nothing. Each statement needs one round trip that
resets the session, applies the limits, and runs the statement in a cursor:

* A cursor takes one reading statement, so a second one, DML, DDL and transaction control are errors
  of the server itself. The SQL is a quoted text inside the block that opens it.
* The transaction is read only and is always rolled back, and with it every setting. Only locks outlive
  a transaction: they are released. ``DISCARD ALL`` follows when the connection returns to the pool.
* For rows that may be large, the server adds up the bytes and stops before it sends too many.
* The server stops the statement after its timeout. If the server hangs, `query_canceller` cancels it.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any

import psycopg2
from psycopg2 import errorcodes

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database.answer_memory_limit import bounded_answer, small_answer_mb
from analytics_worker.database.answer_size_limit import is_small, too_large
from analytics_worker.database.connections import application_name, reader_engine, reader_url
from analytics_worker.database.cursor_batches import (
    CURSOR,
    milliseconds,
    opening_batch,
    reopening_batch,
)
from analytics_worker.database.locked_relations import locked_relations
from analytics_worker.database.overdue_sessions import mark, overdue_sessions, refuse_overdue
from analytics_worker.database.query_canceller import cancel_on_timeout
from analytics_worker.database.query_rows import QueryRows
from analytics_worker.database.replicas import CONFLICT_FIX, is_replication_conflict
from analytics_worker.database.select_guard import bind, literal, refuse_functions
from analytics_worker.database.server_messages import server_message
from analytics_worker.database.server_values import text_types
from analytics_worker.database.session_errors import (
    ReplicationConflictError,
    UserSqlError,
    connection_loss_error,
    retry_on_session_end,
)
from analytics_worker.database.session_reset import reset
from analytics_worker.errors import sqlstate
from analytics_worker.telemetry import QUERY, timed
from analytics_worker.tracing import traced_statement

DEFAULT_TIMEOUT = timedelta(seconds=10)
DEFAULT_ROW_CAP = 1000

# For the session, so that a rollback keeps them. All rows are fetched, so the plan is for all of them.
_SETTINGS = (
    "set idle_in_transaction_session_timeout = '1min'; set client_connection_check_interval = 5000;"
    " set cursor_tuple_fraction = 1; set standard_conforming_strings = on; set datestyle = 'ISO, YMD';"
    " set intervalstyle = postgres; set bytea_output = hex; set extra_float_digits = 1;"
    f" set statement_timeout = {milliseconds(DEFAULT_TIMEOUT)}"
)


@contextmanager
def reader_session(reader: str | None = None) -> Generator["ReaderSession"]:
    """Open a kept connection of a SELECT-only role, for one thread.

    Args:
        reader: Name of a role in READER_DATABASE_URLS; the default reader if None.

    Raises:
        CircuitOpenError: the database is known to be unavailable; nothing was tried.
    """
    with reader_sessions() as session_of:
        yield session_of(reader)


@contextmanager
def reader_sessions() -> Generator[Callable[[str | None], "ReaderSession"]]:
    """Open a kept connection for each SELECT-only role that is requested, for one thread.

    Raises:
        CircuitOpenError: the database is known to be unavailable; nothing was tried.
    """
    sessions: dict[str | None, ReaderSession] = {}

    def session_of(reader: str | None) -> ReaderSession:
        return sessions.setdefault(reader, ReaderSession(application_name(), reader))

    with db_circuit_breaker.calling(), ExitStack() as stack:
        stack.callback(lambda: [session.close() for session in sessions.values()])
        yield session_of


class ReaderSession:
    """A session that is reset before each statement; it connects at the first one."""

    def __init__(self, name: str, reader: str | None = None) -> None:
        self._name = name
        self._reader = reader
        self._pooled: Any = None
        self._overdue: Mapping[str, int] = {}
        self._text_types: Mapping[int, Any] = {}

    def fetch(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: timedelta = DEFAULT_TIMEOUT,
        row_cap: int = DEFAULT_ROW_CAP,
    ) -> QueryRows:
        """Return the rows of one statement.

        Raises:
            UserSqlError: the statement was refused, is too slow, or returns too many rows or bytes.
            SQLAlchemyError: the database is unavailable.
        """
        result = retry_on_session_end(lambda: self._fetch(sql, parameters or {}, timeout, row_cap))
        if len(result.rows) > row_cap:
            raise UserSqlError(f"more than {row_cap} rows; aggregate in SQL or raise row_cap")
        return result

    def _fetch(
        self, sql: str, parameters: Mapping[str, Any], timeout: timedelta, row_cap: int
    ) -> QueryRows:
        with self._open(sql, parameters, timeout) as (cursor, marked, text):
            reopening = (
                ""
                if is_small(cursor.description, row_cap + 1)
                else reopening_batch(text, row_cap, cursor.connection)
            )
            cursor.execute(f"{marked}{reopening}fetch forward {row_cap + 1} from {CURSOR}")
            rows = cursor.fetchall()
            description = cursor.description
        names, types = [each[0] for each in description], [each[1] for each in description]
        return QueryRows(names, types, rows)

    def relations(
        self,
        sql: str,
        parameters: Mapping[str, Any] | None = None,
        *,
        timeout: timedelta = DEFAULT_TIMEOUT,
    ) -> list[str]:
        """Return the quoted names of the relations that a statement reads, views and what they read included.

        The server plans the statement, and this session then holds a lock on each of them; no row is read.

        Raises:
            UserSqlError: the statement was refused.
            SQLAlchemyError: the database is unavailable.
        """

        def read() -> list[str]:
            with self._open(sql, parameters or {}, timeout) as (cursor, _, _):
                cursor.execute(locked_relations())
                return [name for (name,) in cursor.fetchall()]

        return retry_on_session_end(read)

    def bind(self, sql: str, parameters: Mapping[str, Any]) -> str:
        """Return a statement with its parameters, after the checks that need no execution.

        Raises:
            PermanentError: the statement was refused.
        """
        connection = self.connect()
        refuse_functions(sql, reader_engine(self._reader), connection)
        refuse_overdue(sql, self._overdue)
        return bind(sql, parameters, connection)

    @contextmanager
    def _open(
        self, sql: str, parameters: Mapping[str, Any], timeout: timedelta
    ) -> Generator[tuple[Any, str, str]]:
        """Open the server's cursor of a statement; errors in the block are those of the statement.

        Yields the driver's cursor, the mark of the statement for its batches, and its bound text.
        """
        connection = self.connect()
        text, marked = self.bind(sql, parameters), mark(sql, timeout)
        own_timeout = None if timeout == DEFAULT_TIMEOUT else timeout
        try:
            with (
                timed(QUERY, "user"),
                traced_statement(sql),
                bounded_answer(small_answer_mb()),
                cancel_on_timeout(connection, timeout),
                connection.cursor() as cursor,
            ):
                cursor.string_types = self._text_types
                cursor.execute(marked + opening_batch(text, own_timeout, connection))
                yield cursor, marked, text
        except psycopg2.Error as error:
            raise self._translated(error, timeout) from None
        except Exception as error:  # noqa: BLE001  # the driver raises what a value provokes
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UserSqlError(f"a value can't be read ({reason}); cast it to text") from None

    def connect(self) -> Any:
        """Return the driver's connection; connect if necessary."""
        if self._pooled is None:
            self._pooled = reader_engine(self._reader).raw_connection()
            connection = self._pooled.driver_connection
            connection.autocommit = True
            name = literal(self._name, connection)
            connection.cursor().execute(f"set application_name = {name}; {_SETTINGS}")
            self._overdue = overdue_sessions(connection)
            self._text_types = text_types(connection)
        return self._pooled.driver_connection

    def _translated(self, error: psycopg2.Error, timeout: timedelta) -> Exception:
        """Return the error for the statement's author, or an outage if the database is unavailable.

        The SQLSTATE does not decide, because functions can raise any. A closed connection does.
        """
        connection = self._pooled.driver_connection
        if connection.closed:
            self.invalidate()
            return connection_loss_error(error, connection, reader_url(self._reader))
        if sqlstate(error) == errorcodes.QUERY_CANCELED:
            return UserSqlError(f"stopped after {timeout.total_seconds():g} s (timeout)")
        if is_replication_conflict(error, connection):
            return ReplicationConflictError(
                f"{server_message(error)} of the read replica: {CONFLICT_FIX}"
            )
        refusal = UserSqlError(too_large(error) or server_message(error))
        refusal.sqlstate = sqlstate(error)
        return refusal

    def invalidate(self) -> None:
        """Close the connection; the next statement opens another one."""
        if self._pooled is not None:
            self._pooled.invalidate()
            self._pooled = None

    def close(self) -> None:
        """Reset the connection and return it to the pool."""
        if self._pooled is None:
            return
        if not reset(self._pooled.driver_connection):
            self.invalidate()
            return
        self._pooled.close()
        self._pooled = None
