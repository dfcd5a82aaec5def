"""Run the engine's SQL statements, each from its own file in ``sql/``."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

from psycopg2.errorcodes import DUPLICATE_PREPARED_STATEMENT, INVALID_SQL_STATEMENT_NAME
from sqlalchemy import Connection, CursorResult, TextClause, text
from sqlalchemy.exc import DBAPIError

Row = Mapping[str, Any]
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)\b")


def execute(connection: Connection, name: str, **parameters: object) -> Sequence[Row]:
    """Run ``sql/<name>.sql`` with bound parameters; return its rows, if any."""
    return _rows(connection.execute(_statement(name), parameters))


def execute_prepared(connection: Connection, name: str, **parameters: object) -> Sequence[Row]:
    """Run ``sql/<name>.sql`` like `execute`, planned once per session; for what runs once per message.

    The connection is in autocommit mode. Behind a pooler in transaction mode, the session that prepared the
    statement may be another one: the statement is run without preparation then.
    """
    try:
        if name not in connection.info.setdefault("prepared", set()):
            connection.exec_driver_sql(f"prepare {_plan(name)} as {_numbered(name)}")
            connection.info["prepared"].add(name)
        arguments = ", ".join(f"%({each})s" for each in _parameters(name))
        return _rows(connection.exec_driver_sql(f"execute {_plan(name)}({arguments})", parameters))
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) not in {
            DUPLICATE_PREPARED_STATEMENT,
            INVALID_SQL_STATEMENT_NAME,
        }:
            raise
        return execute(connection, name, **parameters)


def _rows(result: CursorResult[Any]) -> Sequence[Row]:
    return cast("Sequence[Row]", result.mappings().all()) if result.returns_rows else []


@lru_cache(maxsize=64)
def _statement(name: str) -> TextClause:
    return text(_sql(name))


@lru_cache(maxsize=64)
def _sql(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()


@lru_cache(maxsize=64)
def _parameters(name: str) -> Sequence[str]:
    return list(dict.fromkeys(_PARAMETER.findall(_sql(name))))


def _plan(name: str) -> str:
    """Return the name of the plan; that of another version's statement differs."""
    return f"delivery_{name}_{hashlib.sha256(_sql(name).encode()).hexdigest()[:8]}"


def _numbered(name: str) -> str:
    """Return the statement with ``$1``, ``$2``, … in place of its named parameters."""
    numbers = {each: f"${n}" for n, each in enumerate(_parameters(name), 1)}
    numbered = _PARAMETER.sub(lambda match: numbers[match[1]], _sql(name))
    return numbered.replace("%", "%%")
