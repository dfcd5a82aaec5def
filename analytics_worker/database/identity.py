"""Find out whether the readers read the database of DATABASE_URL, or another one.

Reads the name of a database and the identifier of its cluster, which a streaming replica shares.
"""

from typing import NamedTuple

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from analytics_worker.database.connections import direct_connection, reader_url, warehouse_url
from analytics_worker.database.urls import quoted_name

CLUSTER = "select system_identifier::text from pg_control_system()"


class DatabaseIdentity(NamedTuple):
    """A database; ``cluster`` is None where the role may not read it."""

    name: str
    cluster: str | None


def database_of_warehouse() -> DatabaseIdentity:
    """Return the database of DATABASE_URL."""
    with direct_connection(warehouse_url()) as connection:
        return _identity(connection)


def database_of_reader(name: str | None = None) -> DatabaseIdentity:
    """Return the database of a reader, the default one without a name."""
    with direct_connection(reader_url(name)) as connection:
        return _identity(connection)


def difference(warehouse: DatabaseIdentity, reader: DatabaseIdentity) -> str | None:
    """Return how the database of a reader differs from the warehouse; None if it is the same."""
    if reader.name != warehouse.name:
        return f"reads database {quoted_name(reader.name)}, DATABASE_URL is {quoted_name(warehouse.name)}"
    if reader.cluster and warehouse.cluster and reader.cluster != warehouse.cluster:
        return "reads a database of the same name on another server than DATABASE_URL"
    return None


def _identity(connection: Connection) -> DatabaseIdentity:
    name = str(connection.scalar(text("select current_database()")))
    try:
        with connection.begin_nested():
            return DatabaseIdentity(name, connection.scalar(text(CLUSTER)))
    except DBAPIError:
        return DatabaseIdentity(name, None)
