"""Statements with identifiers in them, which can't be bound parameters."""

from typing import cast

from psycopg2 import sql
from psycopg2.extensions import connection as DriverConnection  # noqa: N812  # it is a class
from sqlalchemy import Connection, RowMapping
from sqlalchemy.exc import DBAPIError


def driver_connection(connection: Connection) -> DriverConnection:
    """psycopg2's own connection behind SQLAlchemy's."""
    return cast("DriverConnection", connection.connection.driver_connection)


def execute(connection: Connection, statement: sql.Composable) -> RowMapping | None:
    """Run a statement that the driver quotes; its row, if it returns one."""
    text = statement.as_string(driver_connection(connection))
    result = connection.execution_options(no_parameters=True).exec_driver_sql(text)
    return result.mappings().one() if result.returns_rows else None


def first_line(error: DBAPIError) -> str:
    """What the server said, without the statement."""
    return str(error.orig).strip().splitlines()[0]
