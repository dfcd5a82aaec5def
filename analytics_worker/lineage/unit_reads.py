"""Store which relations and columns each rule, report and dbt test reads, so that lineage needs no plans of their SQL.

Writes ops.unit_reads. The domain of a unit stores its reads. Monitoring reads them, and notes that a report is refused.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, RowMapping

from analytics_worker.errors import is_database_outage
from analytics_worker.lineage.column_reads import ColumnReads, merged
from analytics_worker.lineage.relations import schema_and_name
from analytics_worker.lineage.statements import run

ReaderKind = Literal["dbt", "rule", "report"]


class Reads(NamedTuple):
    """The quoted names of the relations that statements read, and what they may read of those that they name."""

    relations: Sequence[str]
    columns: Sequence[ColumnReads]


class UnitReads(NamedTuple):
    """The relations that a unit reads, as pairs of schema and name; None if they are not known now."""

    name: str
    relations: Sequence[tuple[str, str]] | None
    definition_hash: str | None = None
    tested: Sequence[tuple[str, str]] | None = None
    """Of a dbt test: the one that it is declared on; None if it tests all that it reads."""
    columns: Sequence[ColumnReads] | None = None


def pairs(quoted_names: Iterable[str]) -> list[tuple[str, str]]:
    """Return the schema and name of each relation from their names as SQL has them."""
    return [pair for pair in map(schema_and_name, quoted_names) if pair]


def plan_units(rows: Iterable[RowMapping], plan: Callable[[RowMapping], Reads]) -> list[UnitReads]:
    """Return what units read; an error leaves its own unit unknown.

    Args:
        rows: Name and definition_hash of each unit.
        plan: Returns what a unit reads. When a database is unavailable, the units after that one are left for
            the next call.
    """
    reads = list[UnitReads]()
    for row in rows:
        try:
            found = plan(row)
            reads.append(
                UnitReads(
                    row["name"],
                    pairs(found.relations),
                    row["definition_hash"],
                    columns=merged(found.columns),
                )
            )
        except Exception as error:  # noqa: BLE001  # any error is the unit's own
            reads.append(UnitReads(row["name"], None))
            if is_database_outage(error):
                break
    return reads


def replace_reads(
    connection: Connection, kind: ReaderKind, reads: Sequence[UnitReads], *, scope: str
) -> None:
    """Store the reads of all units of a scope; delete those of others of it."""
    run(connection, "delete_reads", kind=kind, scope=scope, names=[each.name for each in reads])
    save_reads(connection, kind, reads, scope=scope)


def save_reads(
    connection: Connection, kind: ReaderKind, reads: Sequence[UnitReads], *, scope: str = ""
) -> None:
    """Store the reads of units; unknown ones stay as they were."""
    if reads:
        rows = json.dumps([_row(each) for each in reads])
        run(connection, "save_reads", kind=kind, scope=scope, reads=rows)


def _row(reads: UnitReads) -> dict[str, Any]:
    columns = [
        {"schema": each.schema, "relation": each.relation}
        | {"names": None if each.names is None else sorted(each.names)}
        for each in reads.columns or ()
    ]
    return {**reads._asdict(), "columns": None if reads.columns is None else columns}
