"""Run SQL of tests as the owner of the database."""

from typing import Any

from sqlalchemy import text

from analytics_worker.database.connections import warehouse


def query(sql: str, **parameters: Any) -> list[Any]:
    """Rows of a statement; plain values if there is one column."""
    with warehouse() as connection:
        rows = connection.execute(text(sql), parameters).all()
    return [row[0] if len(row) == 1 else tuple(row) for row in rows]


def execute(sql: str, **parameters: Any) -> None:
    with warehouse() as connection:
        connection.execute(text(sql), parameters)
