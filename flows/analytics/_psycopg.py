"""Execute statements with identifiers, which can't be bound parameters."""

from typing import cast

from psycopg2 import sql
from psycopg2.extensions import connection as DriverConnection  # noqa: N812  # it is a class
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError


def driver_connection(connection: Connection) -> DriverConnection:
    """Return the psycopg2 connection of a SQLAlchemy connection."""
    return cast("DriverConnection", connection.connection.driver_connection)


def execute(connection: Connection, statement: sql.Composable) -> RowMapping | None:
    """Execute a statement whose identifiers the driver quotes; return its row, if any."""
    text = statement.as_string(driver_connection(connection))
    result = connection.execution_options(no_parameters=True).exec_driver_sql(text)
    return result.mappings().one() if result.returns_rows else None


def first_line(error: DBAPIError) -> str:
    """Return the first line of the server's error message, without the statement."""
    return str(error.orig).strip().splitlines()[0]
