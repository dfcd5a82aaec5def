"""Run the statements that a package keeps as files in its folder ``sql``.

Reads what the statement reads, and writes what it writes.
"""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, RowMapping, text


class StatementFiles:
    """The statements of a package."""

    def __init__(self, module: str) -> None:
        self._folder = Path(module).parent / "sql"

    def run(self, connection: Connection, name: str, **parameters: Any) -> Sequence[RowMapping]:
        """Return the rows of a statement."""
        result = connection.execute(text(_content(self._folder / f"{name}.sql")), parameters)
        return result.mappings().all() if result.returns_rows else []

    def with_names(self, name: str, connection: Any, **parts: sql.Composable) -> str:
        """Return a statement with identifiers and literals quoted by the driver."""
        content = sql.SQL(_content(self._folder / f"{name}.sql"))
        return content.format(**parts).as_string(connection)


@lru_cache
def _content(path: Path) -> str:
    return path.read_text()
