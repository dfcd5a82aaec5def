"""Store of report runs: which there are, their status, and which worker has claimed them.

Reads and writes ``ops.report_runs``, and enqueues messages. Every step is one transaction. If a worker
dies between two steps, any later worker can claim its runs. Each worker holds an advisory lock in its
own name for as long as its connection lasts, so other processes can check whether it is alive.
"""

import json
import os
import secrets
import socket
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

from prefect.context import FlowRunContext
from sqlalchemy import Connection, RowMapping

from analytics_worker import run_lease
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import Message, enqueue
from flows.reports.restatement.parts import SentReport
from flows.reports.restatement.store import save_sent
from flows.reports.runs.model import ReportRun, run_from_row

REPORT_LEASE_SECONDS = 2 * 3600.0
MAX_ATTEMPTS = 9
"""Number of attempts at a failing report, over all flow runs."""


class RequestedRun(NamedTuple):
    """Id and status of a run that was requested, now or earlier."""

    id: int
    status: str


@contextmanager
def open_run_store() -> Generator["RunStore"]:
    """Register this process as a worker and open the store."""
    worker = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
    with warehouse(autocommit=True) as connection:
        run_sql(connection, "reports/register_worker", worker=worker)
        try:
            yield RunStore(connection, worker)
        finally:
            if not connection.invalidated:
                run_sql(connection, "reports/unregister_worker", worker=worker)


class RunStore:
    """The report runs as one worker reads and writes them; for one thread."""

    def __init__(self, connection: Connection, worker: str) -> None:
        """Use a connection on which every statement commits."""
        self._connection = connection
        self._worker = worker

    def request_runs(
        self, requests: Sequence[Mapping[str, Any]], *, max_attempts: int = MAX_ATTEMPTS
    ) -> list[RequestedRun]:
        """Insert a run for each request, unless there is one; requeue those that failed."""
        rows = self._run(
            "request_runs",
            runs=json.dumps(list(requests), default=str),
            max_attempts=max_attempts,
            flow_run_id=current_flow_run_id(),
        )
        return [RequestedRun(row["id"], row["status"]) for row in rows]

    def unfinished_run_ids(self, names: Sequence[str] | None = None) -> list[int]:
        """Return the runs that are not finished and that no living worker has claimed.

        Args:
            names: The reports whose runs are returned; None: all.
        """
        reports = None if names is None else list(names)
        return [row["id"] for row in self._run("unfinished_runs", reports=reports)]

    def claim(self, run_id: int) -> ReportRun | None:
        """Claim a run for this worker; None if it is finished or claimed by another worker."""
        run_lease.check()
        rows = self._run(
            "claim",
            id=run_id,
            worker=self._worker,
            lease_seconds=REPORT_LEASE_SECONDS,
            flow_run_id=current_flow_run_id(),
        )
        return run_from_row(rows[0]) if rows else None

    def read(self, run_id: int) -> ReportRun:
        """Return a run without claiming it."""
        return run_from_row(self._run("read", id=run_id)[0])

    def status(self, run_id: int) -> str:
        """Return the status of a run."""
        return self._run("read", id=run_id)[0]["status"]

    def previous_content_hash(self, run: ReportRun) -> str | None:
        """Return the content hash of the last other run of this report and key."""
        rows = self._run("previous_content_hash", report=run.name, key=run.key, id=run.id)
        return rows[0]["content_hash"] if rows else None

    def requeue_failed(self, names: Sequence[str]) -> None:
        """Requeue the recent failed runs of reports that have attempts left."""
        self._run("requeue_failed", reports=list(names), max_attempts=MAX_ATTEMPTS)

    def due_definitions(self, schedule: str) -> Sequence[RowMapping]:
        """Return the stored definitions of a schedule."""
        return self._run("due_definitions", schedule=schedule)

    def own_time_definitions(self) -> Sequence[RowMapping]:
        """Return the stored definitions of the reports that are due at times of their own."""
        return self._run("own_time_definitions")

    def mark_due_until(self, name: str, due: datetime) -> None:
        """Record that the runs of a report were requested up to a due time of its own."""
        self._run("mark_due_until", report=name, due=due)

    def mark_scheduled_until(self, name: str, period_end: datetime) -> None:
        """Record that the runs of a report were requested up to the end of a period."""
        self._run("mark_scheduled_until", report=name, period_end=period_end)

    def finish(
        self,
        run_id: int,
        fields: Mapping[str, Any],
        messages: Sequence[Message] = (),
        sent: SentReport | None = None,
    ) -> bool:
        """Record the result of a run, enqueue its messages, and store what it sends; False if the claim was lost."""
        parameters = {"id": run_id, "worker": self._worker, **fields}
        return _update_and_enqueue("finish", messages, parameters, sent)

    def hold(
        self, run_id: int, unmet: Mapping[str, str], reads: Sequence[str], message: Message
    ) -> None:
        """Hold a claimed run and enqueue the message to its owner, unless it has been notified.

        Args:
            run_id: The run.
            unmet: Why it is held, by requirement.
            reads: The relations that its SQL reads.
            message: The message.
        """
        parameters = {
            "id": run_id,
            "worker": self._worker,
            "unmet": json.dumps(list(unmet.values())),
            "requirements": json.dumps(list(unmet)),
            "reads": json.dumps(list(reads)),
        }
        _update_and_enqueue("hold", [message], parameters)

    def held_runs(self) -> Sequence[RowMapping]:
        """Return the held runs whose definitions have not changed; those of removed reports end."""
        self._run("update_held")
        return self._run("held_runs")

    def note_unmet(self, unmet: Mapping[int, Mapping[str, str]]) -> None:
        """Store why runs are held now, by requirement."""
        rows = [
            {"id": run_id, "unmet": list(texts.values()), "requirements": list(texts)}
            for run_id, texts in unmet.items()
        ]
        self._run("note_unmet", runs=json.dumps(rows))

    def runs_with_held_parts(self) -> Sequence[RowMapping]:
        """Return the runs that were sent without some of their parts, of reports that are enabled."""
        return self._run("runs_with_held_parts")

    def end_held_parts(self, run_id: int) -> None:
        """Record that the held parts of a run followed, or that it is too late for them."""
        self._run("end_held_parts", id=run_id)

    def release(self, run_id: int, error: str) -> None:
        """Release the claim after a failed attempt."""
        self._run("release", id=run_id, worker=self._worker, error=error)

    def mark_failed(self, run_id: int, error: str, message: Message, *, final: bool) -> None:
        """Mark a run failed and enqueue the message to its owner; if `final`, prevent requeuing."""
        parameters = {
            "id": run_id,
            "error": error,
            "final": final,
            "max_attempts": MAX_ATTEMPTS,
        }
        _update_and_enqueue("mark_failed", [message], parameters)

    def _run(self, statement: str, **parameters: Any) -> Sequence[RowMapping]:
        return run_sql(self._connection, f"reports/{statement}", **parameters)


def _update_and_enqueue(
    statement: str,
    messages: Sequence[Message],
    parameters: Mapping[str, Any],
    sent: SentReport | None = None,
) -> bool:
    """Update a run, and write what belongs to it, in one transaction; return whether it was updated."""
    with warehouse() as connection:
        is_updated = bool(run_sql(connection, f"reports/{statement}", **parameters))
        if is_updated:
            enqueue(connection, [each for each in messages if each.recipients])
        if is_updated and sent:
            save_sent(connection, parameters["id"], sent)
    return is_updated


def current_flow_run_id() -> str | None:
    """Return the id of the current flow run; None outside of one."""
    context = FlowRunContext.get()
    return str(context.flow_run.id) if context and context.flow_run else None
