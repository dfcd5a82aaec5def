"""What is known of report runs, and whose turn it is.

Reads and writes ``ops.report_runs``, and enqueues messages. Every step is one transaction; a worker that
dies between two steps leaves rows that any later one takes up. A worker lives as long as its connection
does, which holds an advisory lock in its name.
"""

import json
import os
import secrets
import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from prefect.context import FlowRunContext
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import Message, enqueue
from flows.reports.definitions.model import Report

REPORT_LEASE_SECONDS = 2 * 3600.0
MOST_ATTEMPTS = 9
"""How often a report that fails is taken up again by later runs."""


@dataclass(frozen=True)
class Run:
    """A report that this worker, and no other, makes now."""

    id: int
    name: str
    kind: str
    period: str
    key: str
    report: Report
    row: Mapping[str, Any]
    """Of a report that is made for each row of a query: that row."""
    start: datetime
    end: datetime
    reason: str | None
    attempts: int
    created_at: datetime


class Asked(NamedTuple):
    """A report run that there is now, and its status."""

    id: int
    status: str


@contextmanager
def ledger() -> Generator["Ledger"]:
    """Become a worker that others can see."""
    owner = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    with warehouse(autocommit=True) as connection:
        run_sql(connection, "reports/register", owner=owner)
        try:
            yield Ledger(connection, owner)
        finally:
            if not connection.invalidated:
                run_sql(connection, "reports/leave", owner=owner)


class Ledger:
    """What one worker reads and writes; for one thread."""

    def __init__(self, connection: Connection, owner: str) -> None:
        """Use a connection on which every statement commits."""
        self._connection = connection
        self._owner = owner

    def ask(self, runs: Sequence[Mapping[str, Any]], *, most: int = MOST_ATTEMPTS) -> list[Asked]:
        """See to it that there is one run for each; what was made before stays made."""
        rows = self._run(
            "ask",
            runs=json.dumps(list(runs), default=str),
            most_attempts=most,
            flow_run_id=flow_run_id(),
        )
        return [Asked(row["id"], row["status"]) for row in rows]

    def unfinished(self) -> list[int]:
        """Runs that nobody works on."""
        return [row["id"] for row in self._run("unfinished")]

    def claim(self, run_id: int) -> Run | None:
        """The run, if it is this worker's to make."""
        rows = self._run(
            "claim",
            id=run_id,
            owner=self._owner,
            lease_seconds=REPORT_LEASE_SECONDS,
            flow_run_id=flow_run_id(),
        )
        return _run(rows[0]) if rows else None

    def read(self, run_id: int) -> Run:
        """A run as it is."""
        return _run(self._run("read", id=run_id)[0])

    def status(self, run_id: int) -> str:
        """Of a run as it is."""
        return self._run("read", id=run_id)[0]["status"]

    def last_hash(self, run: Run) -> str | None:
        """What the rows of this report summed up to when it was last made."""
        rows = self._run("last_hash", report=run.name, key=run.key, id=run.id)
        return rows[0]["content_hash"] if rows else None

    def try_again(self, schedule: str) -> None:
        """Take up what failed lately."""
        self._run("try_again", schedule=schedule, most_attempts=MOST_ATTEMPTS)

    def definitions(self, schedule: str) -> Sequence[RowMapping]:
        """Stored reports of a schedule."""
        return self._run("due_definitions", schedule=schedule)

    def done_until(self, name: str, period_end: datetime) -> None:
        """The schedule has asked for this period of a report."""
        self._run("done_until", report=name, period_end=period_end)

    def finish(self, run_id: int, made: Mapping[str, Any], message: Message | None = None) -> bool:
        """Write down what was made, and enqueue its message; False if somebody else did."""
        parameters = {"id": run_id, "owner": self._owner, **made}
        return _with_message("finish", message, parameters)

    def put_back(self, run_id: int, error: str) -> None:
        """This attempt failed."""
        self._run("put_back", id=run_id, owner=self._owner, error=error)

    def give_up(self, run_id: int, error: str, message: Message, *, final: bool) -> None:
        """No more attempts in this flow run; or, if `final`, in any. Notify the owner, once."""
        parameters = {
            "id": run_id,
            "error": error,
            "final": final,
            "most_attempts": MOST_ATTEMPTS,
        }
        _with_message("give_up", message, parameters)

    def _run(self, statement: str, **parameters: Any) -> Sequence[RowMapping]:
        return run_sql(self._connection, f"reports/{statement}", **parameters)


def _with_message(statement: str, message: Message | None, parameters: Mapping[str, Any]) -> bool:
    """Change a run and enqueue the message about that, in one transaction; whether it was changed."""
    with warehouse() as connection:
        is_changed = bool(run_sql(connection, f"reports/{statement}", **parameters))
        if is_changed and message and message.recipients:
            enqueue(connection, [message])
    return is_changed


def flow_run_id() -> str | None:
    """Of the run that this is part of."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else None


def _run(row: RowMapping) -> Run:
    return Run(
        id=row["id"],
        name=row["report"],
        kind=row["kind"],
        period=row["period"],
        key=row["key"],
        report=Report.model_validate_json(row["definition"]),
        row=row["row_values"],
        start=row["period_start"],
        end=row["period_end"],
        reason=row["reason"],
        attempts=row["attempts"],
        created_at=row["created_at"],
    )
