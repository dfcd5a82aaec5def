"""Store which relations each rule, report and dbt test reads, so that lineage needs no plans of their SQL.

Writes ops.unit_reads. The domain of a unit stores its reads; monitoring only reads them.
"""

import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, text

from analytics_worker.lineage.relations import schema_and_name

ReaderKind = Literal["dbt", "rule", "report"]


class UnitReads(NamedTuple):
    """The relations that a unit reads, as pairs of schema and name; None if they are not known now."""

    name: str
    relations: Sequence[tuple[str, str]] | None
    definition_hash: str | None = None


def pairs(quoted_names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the schema and name of each relation from their names as SQL has them."""
    return [pair for pair in map(schema_and_name, quoted_names) if pair]


def replace_reads(
    connection: Connection, kind: ReaderKind, reads: Sequence[UnitReads], *, scope: str
) -> None:
    """Store the reads of all units of a scope; delete those of others of it."""
    _run(connection, "delete_reads", kind=kind, scope=scope, names=[each.name for each in reads])
    save_reads(connection, kind, reads, scope=scope)


def save_reads(
    connection: Connection, kind: ReaderKind, reads: Sequence[UnitReads], *, scope: str = ""
) -> None:
    """Store the reads of units; unknown ones stay as they were."""
    if reads:
        rows = json.dumps([each._asdict() for each in reads])
        _run(connection, "save_reads", kind=kind, scope=scope, reads=rows)


def _run(connection: Connection, name: str, **parameters: Any) -> None:
    connection.execute(text(_statement(name)), parameters)


@lru_cache
def _statement(name: str) -> str:
    return (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
