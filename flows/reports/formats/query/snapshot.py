"""A snapshot of the database, in which all queries of a report run.

Reads what the reader may read; writes nothing. The transaction is read only and always rolled back. After
any error the connection is closed, which also ends its query. Otherwise it returns to the pool, which
discards what user SQL left in the session.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from psycopg2 import sql
from sqlalchemy import Engine

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database.connections import application_name, reader_engine
from analytics_worker.database.overdue_sessions import overdue_sessions
from analytics_worker.database.query_canceller import cancel_on_timeout
from analytics_worker.database.replicas import session_replayed_until
from analytics_worker.errors import PermanentError

DEFAULT_TIMEOUT = timedelta(minutes=10)
MAX_TIMEOUT = timedelta(hours=1)
"""Flows that generate reports may take no longer."""


@dataclass(frozen=True)
class Snapshot:
    """A connection in a transaction that sees a fixed state of the data; for one thread."""

    connection: Any
    timeout: timedelta
    timezone: str
    pool: Engine
    overdue: Mapping[str, int]
    """Abandoned executions of the role, by digest of their SQL."""
    replayed_until: datetime | None
    """Until when a read replica shows the data at least; None on the primary."""
    plans: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    """The plans of its queries so far."""

    @contextmanager
    def statement(self) -> Generator[Any]:
        """Open a cursor for one statement, and set the limits that an earlier one may have changed."""
        with self.connection.cursor() as cursor:
            cursor.execute(_session_settings(self.timeout, self.timezone))
            with cancel_on_timeout(self.connection, self.timeout):
                yield cursor

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Let the snapshot be read further if the SQL in the block is at fault."""
        with self.connection.cursor() as cursor:
            cursor.execute("savepoint part")
            try:
                yield
            except PermanentError:
                if not self.connection.closed:
                    cursor.execute("rollback to savepoint part")
                raise
            cursor.execute("release savepoint part")

    def cancel(self) -> None:
        """Cancel the running statement; from another thread."""
        self.connection.cancel()


@contextmanager
def open_snapshot(
    *,
    reader: str | None = None,
    timeout: timedelta = DEFAULT_TIMEOUT,
    timezone: str = "UTC",
) -> Generator[Snapshot]:
    """Open a snapshot as a role that can only SELECT.

    Args:
        reader: Name in READER_DATABASE_URLS; the default reader if None.
        timeout: Limit of each statement.
        timezone: Time zone in which instants are written.

    Raises:
        CircuitOpenError: the circuit breaker of the database is open.
    """
    with db_circuit_breaker.calling():
        pool = reader_engine(reader)
        pooled = pool.raw_connection()
        connection: Any = pooled.driver_connection
        try:
            connection.set_client_encoding("UTF8")
            connection.autocommit = True
            overdue, replayed = overdue_sessions(connection), session_replayed_until(connection)
            connection.cursor().execute("begin isolation level repeatable read read only")
            limit = min(timeout, MAX_TIMEOUT)
            yield Snapshot(connection, limit, timezone, pool, overdue, replayed)
            connection.cursor().execute("rollback")
            connection.autocommit = False
        except BaseException:
            pooled.invalidate()
            raise
        pooled.close()


def _session_settings(timeout: timedelta, timezone: str) -> sql.Composable:
    milliseconds = max(1, int(timeout.total_seconds() * 1000))
    settings = {
        "client_encoding": "UTF8",
        "application_name": application_name(),
        "statement_timeout": str(milliseconds),
        "lock_timeout": str(milliseconds),
        "idle_in_transaction_session_timeout": str(milliseconds + 60_000),
        "client_connection_check_interval": "1000",
        "standard_conforming_strings": "on",
        "datestyle": "ISO, YMD",
        "intervalstyle": "postgres",
        "bytea_output": "hex",
        "extra_float_digits": "1",
        "timezone": timezone,
    }
    commands = [
        sql.SQL("set local {} = {}").format(sql.Identifier(name), sql.Literal(value))
        for name, value in settings.items()
    ]
    return sql.SQL("; ").join([sql.SQL("close all; reset all"), *commands])
