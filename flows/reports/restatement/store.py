"""Store what runs sent and how it compares with now.

Reads and writes ops.report_values and ops.report_comparisons, in the transaction of the caller.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery.outbox import storable
from flows.reports.restatement.comparison import Change, Movement
from flows.reports.restatement.parts import Part, SentReport, part_of_row, stored_part


class StoredComparison(NamedTuple):
    """What a run sent, and its last comparison.

    Attributes:
        fingerprint: State of the relations now, before they are read for the next comparison.
        changed_at: When the catalog last saw one of them change.
        started_at: Now, by the clock of the database.
    """

    parts: list[Part]
    changes: list[Change]
    compared_at: datetime
    complete_through: datetime | None
    fingerprint: str | None
    changed_at: datetime | None
    started_at: datetime


class Delivered(NamedTuple):
    """Someone who got a report, and when."""

    channel: str
    recipient: str
    role: str
    sent_at: datetime | None


def save_sent(connection: Connection, run_id: int, sent: SentReport) -> None:
    """Store what a run sends."""
    run_sql(
        connection,
        "reports/save_sent",
        run_id=run_id,
        parts=_json([stored_part(part) for part in sent.parts]),
        fingerprint=sent.fingerprint,
        complete_through=sent.complete_through,
        shown=list(sent.shown),
    )


def read_comparison(connection: Connection, run_id: int) -> StoredComparison | None:
    """Return what a run sent; None if that is not stored."""
    rows = run_sql(connection, "reports/read_comparison", run_id=run_id)
    if not rows:
        return None
    row = dict(rows[0])
    return StoredComparison(
        parts=[part_of_row(each) for each in row.pop("parts") or ()],
        changes=changes_of_json(row.pop("changes")),
        **row,
    )


def save_comparison(
    connection: Connection,
    run_id: int,
    before: StoredComparison,
    changes: Sequence[Change],
    movements: Sequence[Movement],
    error: str | None,
) -> bool:
    """Store a comparison; return False if another process has compared the run meanwhile."""
    rows = run_sql(
        connection,
        "reports/save_comparison",
        run_id=run_id,
        compared_at=before.compared_at,
        started_at=before.started_at,
        fingerprint=before.fingerprint,
        error=error,
        changes=json_of_changes(changes),
        movements=_json([_movement_row(each) for each in movements]),
    )
    return bool(rows)


def _movement_row(movement: Movement) -> dict[str, Any]:
    part, position = movement.key
    return {"part": part, "position": position, "held": movement.held, "moved": movement.moved}


def delivered(connection: Connection, run_id: int) -> list[Delivered]:
    """Return who got the report of a run."""
    return [Delivered(**row) for row in run_sql(connection, "reports/sent_to", run_id=run_id)]


def json_of_changes(changes: Sequence[Change]) -> str:
    """Return changes as they are stored."""
    return _json([each._asdict() for each in changes])


def changes_of_json(rows: Sequence[RowMapping]) -> list[Change]:
    """Return stored changes."""
    return [Change(**row) for row in rows]


def _json(rows: list[dict[str, Any]]) -> str:
    return json.dumps(storable(rows), default=str)
