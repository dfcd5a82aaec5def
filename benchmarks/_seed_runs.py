"""Seed the database of a Prefect server with a history of flow runs of several weeks.

Copies runs that really happened, with their states and task runs, spread over the days before now; not
their logs, which are only ever read by run. Writes straight into the tables, on SQLite and PostgreSQL alike.
"""

import warnings
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy.exc import SAWarning

BATCH = 2_000
SHIFTED = (
    *("created", "updated", "start_time", "end_time", "state_timestamp", "timestamp"),
    *("expected_start_time", "next_scheduled_start_time"),
)
PARENTS = {
    "flow_run_state": "flow_run_id",
    "task_run": "flow_run_id",
}

Rows = dict[str, list[dict[str, Any]]]


def seed(engine: sa.Engine, runs: Sequence[UUID], count: int, days: float) -> None:
    """Add so many copies of these ended runs, evenly over the days before now."""
    metadata = sa.MetaData()
    with warnings.catch_warnings(action="ignore", category=SAWarning):  # indexes on expressions
        metadata.reflect(engine, only=["flow_run", *PARENTS])
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("pragma cache_size = -500000")
        else:  # a run and its state refer to each other
            connection.exec_driver_sql("set local session_replication_role = replica")
        originals = [_original(connection, metadata, run) for run in runs]
        ages = (timedelta(days=days) * (number + 1) / count for number in range(count))
        copies = (_copy(originals[n % len(originals)], age) for n, age in enumerate(ages))
        while batch := list(islice(copies, BATCH)):
            for name in ("flow_run", *PARENTS):
                rows = [row for copy in batch for row in copy[name]]
                if rows:
                    connection.execute(metadata.tables[name].insert(), rows)
    if engine.dialect.name != "sqlite":  # there, Prefect never does
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("analyze")
    engine.dispose()


def _original(connection: sa.Connection, metadata: sa.MetaData, run: UUID) -> Rows:
    columns = {"flow_run": "id", **PARENTS}
    return {
        name: [dict(row) for row in _rows_of(connection, metadata.tables[name], column, run)]
        for name, column in columns.items()
    }


def _rows_of(
    connection: sa.Connection, table: sa.Table, column: str, run: UUID
) -> Iterator[sa.RowMapping]:
    ours = sa.cast(table.c[column], sa.String) == str(run)
    yield from connection.execute(sa.select(table).where(ours)).mappings()


def _copy(original: Rows, age: timedelta) -> Rows:
    """The same rows under new ids, as old as that."""
    ids: dict[Any, Any] = {None: None}

    def new(old: Any) -> Any:
        if old not in ids:
            ids[old] = type(old)(str(uuid4())) if isinstance(old, UUID | str) else old
        return ids[old]

    ended = max(row["end_time"] for row in original["flow_run"])
    shift = _now_as(ended) - age - ended
    return {name: [_moved(row, shift, new) for row in rows] for name, rows in original.items()}


def _now_as(instant: datetime) -> datetime:
    now = datetime.now(UTC)
    return now if instant.tzinfo else now.replace(tzinfo=None)


def _moved(row: dict[str, Any], shift: timedelta, new: Any) -> dict[str, Any]:
    moved = {name: row[name] + shift for name in SHIFTED if row.get(name)}
    for name in ("id", "state_id", "flow_run_id", "task_run_id"):
        if name in row:
            moved[name] = new(row[name])
    for name in ("idempotency_key", "dynamic_key"):
        if name in row:
            moved[name] = str(uuid4())
    return {**row, **moved}
