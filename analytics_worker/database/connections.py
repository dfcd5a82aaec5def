"""Open guarded connections to the analytics database.

``with warehouse() as connection:`` is the only way flows reach PostgreSQL: pooled, named after the
run, with time limits, and behind the database circuit breaker.
``reader()`` is the same for user SQL, through a role that can only SELECT.
Opens nothing before the first connection is requested; safe after a fork.
"""

import logging
import os
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext
from prefect_sqlalchemy import SqlAlchemyConnector
from psycopg2.extensions import TRANSACTION_STATUS_INTRANS
from sqlalchemy import Connection, Engine, RowMapping, TextClause, create_engine, event, text
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from analytics_worker import run_lease
from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database.instrumentation import instrument
from analytics_worker.database.urls import (
    READER_ROLE,
    MissingDatabaseError,
    direct_url,
    parse_url,
    reader_password,
    reader_url,
    warehouse_url,
)
from analytics_worker.database.write_access import detect_read_only
from analytics_worker.settings import project_root, settings

__all__ = [
    "READER_ROLE",
    "MissingDatabaseError",
    "application_name",
    "direct_connection",
    "direct_url",
    "dispose",
    "engine",
    "parse_url",
    "read_sql",
    "reader",
    "reader_engine",
    "reader_password",
    "reader_url",
    "run_sql",
    "warehouse",
    "warehouse_url",
]

APPLICATION_NAME_BYTES = 63
WAREHOUSE, DIRECT = "warehouse", "direct"
_READER = "reader:"
_engines: list[Engine] = []
"""The pools of this process."""


@contextmanager
def warehouse(
    *,
    statement_timeout_seconds: float | None = None,
    lock_timeout_seconds: float | None = None,
    autocommit: bool = False,
    after_loss: bool = False,
) -> Generator[Connection]:
    """Open a connection with one transaction, which is committed, or rolled back on any error.

    Args:
        statement_timeout_seconds: Limit of each statement; default from the settings.
        lock_timeout_seconds: Limit of each wait for a lock; default from the settings.
        autocommit: Each statement is a transaction of its own (REFRESH, VACUUM, session locks), on a
            connection past a pooler (DATABASE_DIRECT_URL).
        after_loss: Also for a run that has lost its lease: the statement checks a claim of its own.

    Raises:
        CircuitOpenError: the database is known to be unavailable; nothing was tried.
        RunLostError: the run is no longer this process's; nothing was written.
    """
    if not after_loss:
        run_lease.check()
    limits = _limits(statement_timeout_seconds, lock_timeout_seconds)
    role = DIRECT if autocommit and settings().database_direct_url else WAREHOUSE
    with db_circuit_breaker.calling(), engine(role).connect() as plain:
        connection = plain.execution_options(isolation_level="AUTOCOMMIT") if autocommit else plain
        with connection.begin():
            _apply(connection, limits, local=not autocommit)
            yield connection
            if run_lease.is_held() and not autocommit:
                _check_before_commit(connection)


def _check_before_commit(connection: Connection) -> None:
    """Check that the run is still this process's, and let the database roll a late COMMIT back."""
    driver_connection: Any = connection.connection.driver_connection
    if driver_connection.info.transaction_status != TRANSACTION_STATUS_INTRANS:
        return  # nothing to commit: a statement failed, and its error was expected
    limit = {"idle_in_transaction_session_timeout": f"{run_lease.COMMIT_SECONDS * 1000}"}
    _apply(connection, limit, local=True)
    run_lease.check()


@contextmanager
def reader(
    *,
    statement_timeout_seconds: float | None = None,
    lock_timeout_seconds: float | None = None,
) -> Generator[Connection]:
    """Open a read-only transaction as the role that can only SELECT; it is always rolled back.

    READ ONLY alone is not a boundary, because SQL can leave it. The role's missing grants are. Session
    state of the SQL is discarded before the connection is used again.

    Raises:
        CircuitOpenError: the database is known to be unavailable; nothing was tried.
    """
    limits = _limits(statement_timeout_seconds, lock_timeout_seconds)
    with db_circuit_breaker.calling(), engine("reader").connect() as connection:
        connection.execute(text("set transaction read only"))
        _apply(connection, limits, local=True)  # a first query: the mode can't be changed after it
        yield connection


@contextmanager
def direct_connection(url: URL, *, autocommit: bool = False) -> Generator[Connection]:
    """Open one transaction on a connection outside pool and breaker, for administrative work.

    Migrations, loading the sample and checks of a URL use it. Flows use `warehouse`, except for
    session locks, which need a connection without a transaction (``autocommit``).
    """
    new_engine = create_engine(
        url,
        poolclass=NullPool,
        hide_parameters=True,
        isolation_level="AUTOCOMMIT" if autocommit else None,
        connect_args={"connect_timeout": settings().connect_timeout_seconds},
    )
    with new_engine.connect() if autocommit else new_engine.begin() as connection:
        yield connection


def _limits(statement: float | None, lock: float | None) -> dict[str, str]:
    statement = statement or settings().statement_timeout_seconds
    lock = lock or settings().lock_timeout_seconds
    return {
        "application_name": application_name(),
        "statement_timeout": f"{int(statement * 1000)}",
        "lock_timeout": f"{int(lock * 1000)}",
        "idle_in_transaction_session_timeout": f"{int(statement * 1000)}",
        "client_connection_check_interval": "5000",  # ends the queries of killed runs
    }


def _apply(connection: Connection, limits: Mapping[str, str], *, local: bool) -> None:
    """Set the limits in one round trip."""
    calls = ", ".join(f"set_config('{name}', :{name}, {str(local).lower()})" for name in limits)
    connection.execute(text(f"select {calls}"), dict(limits))  # fixed names


def application_name() -> str:
    """Return ``<flow>:<run id>`` of the current run, as pg_stat_activity shows it."""
    flow_run = FlowRunContext.get()
    if flow_run and flow_run.flow and flow_run.flow_run:
        name = f"{flow_run.flow.name}:{flow_run.flow_run.id}"
    elif task_run := TaskRunContext.get():
        name = f"task:{task_run.task_run.flow_run_id or task_run.task_run.id}"
    else:
        name = "analytics-worker"
    return name.encode()[:APPLICATION_NAME_BYTES].decode(errors="ignore")


def reader_engine(name: str | None = None) -> Engine:
    """Return this process's pool for the default reader, or for one of READER_DATABASE_URLS."""
    return engine("reader" if name is None else f"{_READER}{name}")


@lru_cache
def engine(role: str) -> Engine:
    """Return this process's pool for ``warehouse``, ``direct``, ``reader`` or ``reader:<name>``."""
    own = {WAREHOUSE: warehouse_url, DIRECT: direct_url}
    name = role.removeprefix(_READER) if role.startswith(_READER) else None
    url = own[role]() if role in own else reader_url(name)
    logging.getLogger("prefect.SqlAlchemyConnector").setLevel(logging.WARNING)  # "Created …"
    arguments = {
        "connect_timeout": settings().connect_timeout_seconds,
        "application_name": "analytics-worker",
    }
    # The text can't hold every name.
    name_of_database = {"dbname": url.database} if url.database else {}
    block = SqlAlchemyConnector(
        connection_info=url.render_as_string(hide_password=False),
        connect_args=arguments | name_of_database,
    )
    new_engine = block.get_engine(
        pool_size=settings().database_pool_size,  # pyright: ignore[reportArgumentType]
        max_overflow=2,  # pyright: ignore[reportArgumentType]
        pool_pre_ping=True,  # pyright: ignore[reportArgumentType]
        hide_parameters=True,  # pyright: ignore[reportArgumentType]
    )
    instrument(new_engine)
    _engines.append(new_engine)
    if role in own:
        detect_read_only(new_engine)
    else:
        event.listen(new_engine, "checkin", _discard_session)
    return new_engine


def _discard_session(dbapi_connection: Any, _record: object) -> None:
    """Discard session state of user SQL: settings, temporary tables, prepared plans."""
    if dbapi_connection is None or dbapi_connection.closed:
        return
    dbapi_connection.autocommit = True
    with dbapi_connection.cursor() as cursor:
        cursor.execute("discard all")
    dbapi_connection.autocommit = False


def dispose(*, close: bool = True) -> None:
    """Close this process's pools, so that the next connection reads the settings again."""
    while _engines:
        _engines.pop().dispose(close=close)
    engine.cache_clear()


os.register_at_fork(after_in_child=lambda: dispose(close=False))  # the sockets are the parent's


@lru_cache(maxsize=256)
def read_sql(name: str) -> str:
    """Return the text of ``flows/<domain>/sql/<statement>.sql``, by its name ``<domain>/<statement>``."""
    domain, statement = name.split("/")
    return (Path(project_root()) / "flows" / domain / "sql" / f"{statement}.sql").read_text()


@lru_cache(maxsize=256)
def _statement(name: str) -> TextClause:
    return text(read_sql(name))


def run_sql(connection: Connection, name: str, **parameters: object) -> Sequence[RowMapping]:
    """Run a statement from its file with bound parameters and return its rows, if any."""
    result = connection.execute(_statement(name), parameters)
    return result.mappings().all() if result.returns_rows else []
