"""Store which relations and columns each rule, report and dbt test reads, so that lineage needs no plans of their SQL.

Writes ops.unit_reads. The domain of a unit stores its reads. Monitoring reads them, and notes that a report is refused.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, RowMapping

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import warehouse
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


def plan_units(
    rows: Iterable[RowMapping],
    reader_of: Callable[[RowMapping], str | None],
    plan: Callable[[RowMapping], Reads],
) -> list[UnitReads]:
    """Return what units read; an error leaves its own unit unknown.

    If the database of a reader is unavailable, the other units of that reader are unknown without another attempt.

    Args:
        rows: Name and definition_hash of each unit.
        reader_of: Returns the name of the reader of a unit; None for the default one.
        plan: Returns what a unit reads.

    Raises:
        SQLAlchemyError: the warehouse is unavailable.
        CircuitOpenError: it is known to be unavailable.
    """
    unavailable = set[str | None]()
    return [_unit_reads(row, reader_of, plan, unavailable) for row in rows]


def _unit_reads(
    row: RowMapping,
    reader_of: Callable[[RowMapping], str | None],
    plan: Callable[[RowMapping], Reads],
    unavailable: set[str | None],
) -> UnitReads:
    """Return what a unit reads; add its reader to those that are unavailable, if it is."""
    unknown, reader = UnitReads(row["name"], None), None
    try:
        reader = reader_of(row)
        if reader in unavailable:
            return unknown
        found = plan(row)
        relations, columns = pairs(found.relations), merged(found.columns)
    except Exception as error:  # noqa: BLE001  # any error is the unit's own
        if isinstance(error, CircuitOpenError) or is_database_outage(error):
            _check_warehouse()
            unavailable.add(reader)
        return unknown
    return UnitReads(row["name"], relations, row["definition_hash"], columns=columns)


def _check_warehouse() -> None:
    """Raise the error if not only a reader is unavailable, but the warehouse, too."""
    with warehouse():
        pass


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
