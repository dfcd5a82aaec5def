"""Allow one dbt process at a time per warehouse, across all hosts.

Holds a lock of the analytics database (``ops.locks``) on its own connection, which ends with
this process. Without a configured database (a dbt project with its own connection), nothing is locked.
"""

from collections.abc import Generator
from contextlib import ExitStack, contextmanager

from prefect import get_run_logger
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, ProgrammingError

from analytics_worker.database.connections import (
    MissingDatabaseError,
    application_name,
    direct_connection,
    run_sql,
    warehouse_url,
)
from analytics_worker.errors import PermanentError, is_permanent
from flows.dbt._dbt_artifacts import DbtProjectError, DbtUnavailableError


class DbtRunningError(PermanentError):
    """Another run holds the dbt lock of this warehouse; the message names it."""


@contextmanager
def dbt_lock() -> Generator[None]:
    """Hold the dbt lock of the warehouse until the block ends.

    Raises:
        DbtRunningError: another run holds it.
        DbtUnavailableError: the warehouse is unavailable.
    """
    try:
        url = warehouse_url()
    except MissingDatabaseError:
        get_run_logger().info("No DATABASE_URL: overlapping runs of dbt are not prevented")
        yield
        return
    with ExitStack() as stack:
        try:
            _acquire(stack.enter_context(direct_connection(url, autocommit=True)))
        except ProgrammingError as error:
            get_run_logger().warning(
                "Overlapping runs of dbt are not prevented; run `analytics-worker migrate`: %s",
                error.orig,
            )
        except OperationalError as error:
            reason = str(error.orig).strip()
            permanent = is_permanent(error)
            raise (DbtProjectError if permanent else DbtUnavailableError)(reason) from error
        yield


def _acquire(connection: Connection) -> None:
    if run_sql(connection, "dbt/lock", holder=application_name())[0]["held"]:
        return
    holders = run_sql(connection, "dbt/lock_holder")
    names = ", ".join(f"{row['holder']} since {row['since']}" for row in holders)
    raise DbtRunningError(
        f"dbt is already running on this warehouse: {names or 'another run, which just ended'}"
    )
