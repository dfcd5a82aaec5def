"""Run the statements of this package.

Reads what the statement reads, and writes what it writes.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, RowMapping, text


def run(connection: Connection, name: str, **parameters: Any) -> Sequence[RowMapping]:
    """Return the rows of a statement of this package."""
    result = connection.execute(text(_statement(name)), parameters)
    return result.mappings().all() if result.returns_rows else []


def with_names(name: str, connection: Any, **parts: sql.Composable) -> str:
    """Return a statement of this package with identifiers and literals quoted by the driver."""
    return sql.SQL(_statement(name)).format(**parts).as_string(connection)


@lru_cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
