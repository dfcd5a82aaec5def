"""Bring ops.completeness in step with the measurements, the lineage and the builds.

Reads the catalog, ops.refresh_log, ops.dbt_relations and the measurements; writes ops.completeness and its history.
"""

import json
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from analytics_worker.completeness.statements import run
from analytics_worker.completeness.through_lineage import (
    Build,
    Completeness,
    Key,
    Recorded,
    Relation,
    Value,
)
from analytics_worker.database.connections import warehouse


def update_completeness() -> None:
    """Find through which instant each relation of the catalog is complete, and store it."""
    with warehouse() as connection:
        now = connection.scalar(text("select clock_timestamp()")) or datetime.now(UTC)
        relations = _relations(connection)
        measured = run(connection, "measurements")
        reasons: dict[Key, str | None] = {
            (row["schema_name"], row["relation_name"]): row["reason"] for row in measured
        }
        found = Completeness(relations, frozenset(reasons), _recorded(connection, relations, now))
        rows = [_row(key, found.value(key, now), reasons.get(key)) for key in relations]
        run(connection, "save_completeness", rows=json.dumps(rows, default=str), measured_at=now)


def _relations(connection: Connection) -> dict[Key, Relation]:
    return {
        (row["schema_name"], row["relation_name"]): Relation(
            inputs=[(schema, name) for schema, name in row["inputs"]],
            is_view=row["is_view"],
            is_built=row["is_built"],
            builds=[Build(*map(datetime.fromisoformat, each)) for each in row["builds"] or ()],
            last_change=row["last_change"],
        )
        for row in run(connection, "relations")
    }


def _recorded(
    connection: Connection, relations: dict[Key, Relation], now: datetime
) -> dict[Key, list[Recorded]]:
    """Return the values since the start of the oldest build that counts."""
    starts = [build.started_at for each in relations.values() for build in each.builds[:1]]
    recorded: defaultdict[Key, list[Recorded]] = defaultdict(list)
    for row in run(connection, "recorded", since=min(starts, default=now)):
        value = Recorded(row["since"], row["complete_through"], row["is_partial"])
        recorded[row["schema_name"], row["relation_name"]].append(value)
    return recorded


def _row(key: Key, value: Value, reason: str | None) -> dict[str, Any]:
    limited_by = ".".join(value.limited_by) if value.limited_by else None
    return {
        "schema_name": key[0],
        "relation_name": key[1],
        "complete_through": value.through,
        "basis": value.basis,
        "is_partial": value.is_partial,
        "limited_by": limited_by,
        "reason": reason,
        "since": value.since,
    }
