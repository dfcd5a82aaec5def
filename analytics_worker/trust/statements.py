"""Run the statements of this package, which only read."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, text


def run(connection: Connection, name: str, **parameters: Any) -> Sequence[RowMapping]:
    """Return the rows of a statement of this package."""
    return connection.execute(text(_statement(name)), parameters).mappings().all()


@lru_cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
