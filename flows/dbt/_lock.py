"""Allow one dbt run at a time per warehouse, across all hosts.

Holds a lock of the analytics database (``ops.locks``) on its own connection, from the first attempt of a
run to the end of the last one. The connection ends with this process. Without a configured database (a
dbt project with its own connection), nothing is locked.
"""

from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from prefect import get_run_logger
from psycopg2 import OperationalError as DriverOperationalError
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError, ProgrammingError, SQLAlchemyError

from analytics_worker import run_lease
from analytics_worker.database.connections import (
    MissingDatabaseError,
    application_name,
    direct_connection,
    direct_url,
    run_sql,
)
from analytics_worker.database.pooler import FIX, changes_sessions, is_behind_pooler, warning
from analytics_worker.database.urls import parameters_of
from analytics_worker.errors import PermanentError, is_database_outage, is_permanent
from analytics_worker.settings import settings
from flows.dbt._failures import DbtOutageError, DbtProjectError, DbtUnavailableError


class DbtRunningError(PermanentError):
    """Another run holds the dbt lock of this warehouse; the message names it."""


class DbtLock:
    """The dbt lock of the warehouse, held by one run for all its attempts."""

    def __init__(self) -> None:
        self._session = ExitStack()
        self._connection: Connection | None = None
        self._is_unavailable = False

    def __enter__(self) -> Self:
        """Take nothing yet: `acquire` does."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Release the lock."""
        self._release()

    def acquire(self) -> None:
        """Take the lock unless this run still holds it.

        Raises:
            DbtRunningError: another run holds it.
            DbtUnavailableError: the warehouse is unavailable.
        """
        run_lease.check()
        if self._is_unavailable or self._is_held():
            return
        self._release()
        try:
            self._connection = self._session.enter_context(
                direct_connection(direct_url(), autocommit=True)
            )
            _check_session(self._connection)
            _take(self._connection)
        except (DbtRunningError, DbtProjectError):
            self._release()
            raise
        except MissingDatabaseError:
            self._is_unavailable = True
            get_run_logger().info("No DATABASE_URL: overlapping runs of dbt are not prevented")
        except ProgrammingError as error:
            self._is_unavailable = True
            get_run_logger().warning(
                "Overlapping runs of dbt are not prevented; run `analytics-worker migrate`: %s",
                error.orig,
            )
        except OperationalError as error:
            self._release()
            raise _unavailable(error) from error

    def _is_held(self) -> bool:
        """Whether the session that took the lock is still open: the lock ends with it."""
        if self._connection is None:
            return False
        try:
            self._connection.execute(text("select 1"))
        except SQLAlchemyError:
            return False
        return True

    def _release(self) -> None:
        self._connection = None
        try:
            self._session.close()
        except SQLAlchemyError:
            return  # the session has ended already, and the lock with it


def _check_session(connection: Connection) -> None:
    """Refuse a session that can't hold a lock: several runs of dbt would hold it at once."""
    driver_connection: Any = connection.connection.driver_connection
    try:
        if not is_behind_pooler(driver_connection):
            return
        changes = changes_sessions(parameters_of(direct_url()))
    except DriverOperationalError as error:
        raise DbtUnavailableError(str(error).strip()) from error
    if changes:
        variable = "DATABASE_DIRECT_URL" if settings().database_direct_url else "DATABASE_URL"
        raise DbtProjectError(warning(variable, FIX))


def _unavailable(error: OperationalError) -> Exception:
    reason = str(error.orig).strip()
    if is_permanent(error):
        return DbtProjectError(reason)
    return (DbtOutageError if is_database_outage(error) else DbtUnavailableError)(reason)


def _take(connection: Connection) -> None:
    if run_sql(connection, "dbt/lock", holder=application_name())[0]["held"]:
        return
    holders = [
        f"{row['holder']} (process {row['pid']} of {row['host']}) since {row['since']}"
        for row in run_sql(connection, "dbt/lock_holder")
    ]
    raise DbtRunningError(
        f"dbt is already running on this warehouse: {', '.join(holders) or 'another run, which just ended'}"
    )
