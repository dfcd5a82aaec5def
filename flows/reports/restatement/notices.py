"""Notify the owner of a report that what its readers have is different now, or is as it was sent again.

Reads ops.report_comparisons; enqueues one message for all runs of a report, in the transaction that marks what
the owner knows. Safe to repeat: the id of a message follows from what it says. Numbers that change again and
again after they are sent are left out: their SQL is not settled when the period ends.
"""

import json
from collections.abc import Collection
from typing import Any
from uuid import uuid5

from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql
from analytics_worker.delivery import enqueue
from analytics_worker.delivery.outbox import storable
from flows.reports.output.message import NAMESPACE
from flows.reports.restatement.comparison import Change
from flows.reports.restatement.message import RestatedRun, restatement_message
from flows.reports.restatement.store import changes_of_json, delivered
from flows.reports.runs.model import run_from_row

MAX_MOVES = 2
"""Different values of one number that are reported before it counts as one that is not settled."""


def notify_owner(connection: Connection, report: str) -> bool:
    """Enqueue a message about what the owner of a report does not know; return whether there is any."""
    rows = run_sql(connection, "reports/differences", report=report)
    moving = {
        (row["part"], row["title"])
        for row in run_sql(connection, "reports/moving_parts", report=report, max_moves=MAX_MOVES)
    }
    settled = {row["id"]: _settled(row, moving) for row in rows}
    run_sql(connection, "reports/mark_notified", runs=_json(settled))
    restated = [_restated_run(connection, row, settled[row["id"]]) for row in rows]
    restated = [each for each in restated if each.changes or each.returned]
    if not restated:
        return False
    message = restatement_message(restated)
    text = json.dumps(storable(message.content.json_body), default=str)
    enqueue(connection, [message._replace(id=uuid5(NAMESPACE, f"report_restated/{text}"))])
    return bool(message.recipients)


def _settled(row: RowMapping, moving: Collection[tuple[str, str]]) -> list[Change]:
    """Return the changes without those of parts that change again and again."""
    changes = changes_of_json(row["changes"])
    return [each for each in changes if (each.part, each.title) not in moving]


def _json(changes: dict[int, list[Change]]) -> str:
    rows: list[dict[str, Any]] = [
        {"run_id": run_id, "notified": [each._asdict() for each in found]}
        for run_id, found in changes.items()
    ]
    return json.dumps(storable(rows), default=str)


def _restated_run(connection: Connection, row: RowMapping, settled: list[Change]) -> RestatedRun:
    known = changes_of_json(row["notified"])
    present = {each.place for each in changes_of_json(row["changes"])}
    return RestatedRun(
        run=run_from_row(run_sql(connection, "reports/read", id=row["id"])[0]),
        changes=[each for each in settled if each not in known],
        returned=[each for each in known if each.place not in present],
        readers=delivered(connection, row["id"]),
        unchanged_until=row["unchanged_until"],
        noticed_at=row["noticed_at"],
        complete_through=row["complete_through"],
    )
