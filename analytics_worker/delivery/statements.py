"""Run the engine's SQL statements, each from its own file in ``sql/``."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Connection, TextClause, text

Row = Mapping[str, Any]


def execute(connection: Connection, name: str, **parameters: object) -> Sequence[Row]:
    """Run ``sql/<name>.sql`` with bound parameters; return its rows, if any."""
    result = connection.execute(_statement(name), parameters)
    return cast("Sequence[Row]", result.mappings().all()) if result.returns_rows else []


@lru_cache(maxsize=64)
def _statement(name: str) -> TextClause:
    return text((Path(__file__).parent / "sql" / f"{name}.sql").read_text())
