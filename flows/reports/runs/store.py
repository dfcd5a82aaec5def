"""What is known of report runs and of their mails, and whose turn it is.

Reads and writes ``ops.report_runs`` and ``ops.report_deliveries``. Every step is one statement and its
own transaction; a worker that dies between two steps leaves rows that any later one takes up. A worker
lives as long as its connection does, which holds an advisory lock in its name.
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
from uuid import UUID

from prefect.context import FlowRunContext
from sqlalchemy import Connection, RowMapping

from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery.retry import Settlement
from flows.reports.definitions.model import Report

REPORT_LEASE_SECONDS = 2 * 3600.0
MAIL_LEASE_SECONDS = 900.0
MAIL_BATCH = 25
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


class DueMail(NamedTuple):
    """A mail that is this worker's to send."""

    id: UUID
    run_id: int
    recipient: str
    role: str
    message_id: str
    payload: Mapping[str, Any] | None
    attempts: int


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

    def finish(self, run_id: int, made: Mapping[str, Any]) -> bool:
        """Write down what was made, and who gets it; False if somebody else did."""
        return bool(self._run("finish", id=run_id, owner=self._owner, **made))

    def put_back(self, run_id: int, error: str) -> None:
        """This attempt failed."""
        self._run("put_back", id=run_id, owner=self._owner, error=error)

    def give_up(
        self, run_id: int, error: str, message_id: str, payload: Mapping[str, str], *, final: bool
    ) -> None:
        """No more attempts in this flow run; or, if `final`, in any."""
        self._run(
            "give_up",
            id=run_id,
            error=error,
            message_id=message_id,
            payload=json.dumps(payload),
            final=final,
            most_attempts=MOST_ATTEMPTS,
        )

    def recover_mails(self) -> None:
        """Take back what dead senders had claimed."""
        self._run("outbox_recover")

    def expire_mails(self, max_seconds: float) -> int:
        """Give up on mails that a server which is away has kept so long; how many."""
        return len(self._run("outbox_expire", max_seconds=max_seconds))

    def tell_owners(self) -> int:
        """Write a mail to each owner whose report did not reach everybody; how many."""
        return len(self._run("outbox_tell_owners"))

    def claim_mails(self) -> list[DueMail]:
        """The next due mails."""
        rows = self._run(
            "outbox_claim", batch=MAIL_BATCH, owner=self._owner, lease_seconds=MAIL_LEASE_SECONDS
        )
        return [DueMail(**row) for row in rows]

    def mail_of(self, run_id: int) -> RowMapping:
        """What the mails of a run have in common."""
        return self._run("outbox_mail", run_id=run_id)[0]

    def settle(self, mail: DueMail, settlement: Settlement) -> None:
        """Write down what became of a mail."""
        self._run("outbox_settle", id=mail.id, owner=self._owner, **settlement._asdict())

    def postpone_mails(self, delay_seconds: float, error: str | None = None) -> int:
        """Give back what is claimed and leave the server alone; how many mails wait."""
        return len(
            self._run(
                "outbox_postpone", owner=self._owner, delay_seconds=delay_seconds, error=error
            )
        )

    def next_mail_at(self) -> datetime | None:
        """When the next mail is to be tried again; None if none is."""
        return self._run("outbox_next")[0]["at"]

    def _run(self, statement: str, **parameters: Any) -> Sequence[RowMapping]:
        return run_sql(self._connection, f"reports/{statement}", **parameters)


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
