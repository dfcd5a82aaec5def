"""Find out whether a connection leads to a read replica, how old its data is, and whether it cancelled a query.

Reads functions of the server that every role may call; writes nothing.
"""

from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.errors import DeadlockDetected, SerializationFailure
from sqlalchemy import Connection, text

CONFLICT_FIX = "set hot_standby_feedback = on, or raise max_standby_streaming_delay there"


@lru_cache
def replayed_until_sql() -> str:
    """Return the statement that returns until when a replica shows the data; null on a primary."""
    return (Path(__file__).parent / "sql" / "replayed_until.sql").read_text()


def replayed_until(connection: Connection) -> datetime | None:
    """Return until when the server shows the data of its primary; None if it is the primary."""
    return connection.scalar(text(replayed_until_sql()))


def session_replayed_until(connection: Any) -> datetime | None:
    """Do the same for a connection of the driver."""
    with connection.cursor() as cursor:
        cursor.execute(replayed_until_sql())
        return cursor.fetchone()[0]


def is_replication_conflict(error: psycopg2.Error, connection: Any) -> bool:
    """Whether a replica cancelled the query because replication had to remove what it read.

    Functions can raise any SQLSTATE, so the server is asked what it is.
    """
    if not isinstance(error, SerializationFailure | DeadlockDetected):
        return False
    try:
        with connection.cursor() as cursor:
            cursor.execute("rollback; select pg_is_in_recovery()")
            return cursor.fetchone()[0]
    except psycopg2.Error:
        return False
