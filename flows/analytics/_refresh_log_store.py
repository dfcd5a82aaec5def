"""Write ``ops.refresh_log``: one row per attempt to refresh a view, and one per skipped view.

A row with status `running` is committed before the refresh starts, so that an attempt whose process
dies is still recorded. Success is written in the transaction of the refresh itself, so that it is
never recorded wrongly. Rows are settled by id: repeating it changes nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypedDict

from prefect.context import TaskRunContext
from prefect.runtime import flow_run
from sqlalchemy import Connection

from analytics_worker.database.connections import run_sql, warehouse

Mode = Literal["concurrently", "plain"]


class ViewResult(TypedDict):
    """The result of one view."""

    view: str
    status: Literal["success", "failed", "skipped"]
    mode: Mode | None
    reason: str
    """Why it was refreshed in this mode, or why it was skipped."""
    rows: int | None
    bytes: int | None
    wait_seconds: float
    """Time spent waiting for locks of other sessions."""
    seconds: float
    error: str | None


class Skipped(TypedDict):
    """A view that is not refreshed, because nothing changed or an input failed."""

    schema_name: str
    view_name: str
    oid: int
    status: str
    reason: str


@dataclass(kw_only=True)
class RefreshAttempt:
    """One attempt to refresh a view, and its row in the log."""

    id: int | None = None
    reason: str
    mode: Mode | None = None
    rows: int | None = None
    bytes: int | None = None
    wait_seconds: float = 0
    seconds: float = 0
    fingerprint: dict[str, Any] | None = None

    def result(
        self, view: str, status: Literal["success", "failed", "skipped"], error: str | None = None
    ) -> ViewResult:
        """Return the result that the flow reports."""
        return ViewResult(
            view=view,
            status=status,
            mode=self.mode,
            reason=self.reason,
            rows=self.rows,
            bytes=self.bytes,
            wait_seconds=round(self.wait_seconds, 3),
            seconds=round(self.seconds, 3),
            error=error,
        )

    def finish(self, connection: Connection, status: str, error: str | None = None) -> None:
        """Write the final status of the row."""
        fingerprint = None if self.fingerprint is None else json.dumps(self.fingerprint)
        fields = {**asdict(self), "fingerprint": fingerprint}
        run_sql(connection, "analytics/finish_refresh", **fields, status=status, error=error)


def start(*, schema_name: str, view_name: str, oid: int, reason: str) -> RefreshAttempt:
    """Insert and commit the row of an attempt that is about to start."""
    with warehouse() as connection:
        row = run_sql(
            connection,
            "analytics/start_refresh",
            flow_run_id=flow_run.id,
            schema_name=schema_name,
            view_name=view_name,
            oid=oid,
            attempt=_attempt(),
            reason=reason,
        )[0]
    return RefreshAttempt(id=row["id"], reason=reason)


def _attempt() -> int:
    task_run = TaskRunContext.get()
    return task_run.task_run.run_count if task_run else 1


def settle_orphans() -> None:
    """Mark running attempts of dead processes as failed."""
    with warehouse() as connection:
        run_sql(connection, "analytics/settle_orphans")


def record_skipped(skipped: Sequence[Skipped]) -> None:
    """Insert one row per skipped view, with the reason."""
    with warehouse() as connection:
        for row in skipped:
            run_sql(connection, "analytics/record_skipped", flow_run_id=flow_run.id, **row)
