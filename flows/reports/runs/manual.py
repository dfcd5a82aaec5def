"""Reports made or sent again because somebody says so, outside of any flow run.

Reads and writes what the flows do: runs, files, messages. A report that was made for a period is not made
again; its stored file can be sent again.
"""

from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection

from analytics_worker import delivery as outbox
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.errors import PermanentError
from flows.reports.definitions.model import Report
from flows.reports.output.generator import Made, summary
from flows.reports.runs.delivery import Delivery, delivery_of, send_messages
from flows.reports.runs.failures import give_up
from flows.reports.runs.requests import kind_of, period_of, wanted
from flows.reports.runs.store import ledger
from flows.reports.scheduling.periods import named_period
from flows.reports.tasks import make_run

_ANY_NUMBER = 1_000_000  # of attempts before: a person may always try again


class ResendError(PermanentError):
    """There is nothing to send again; says what there is."""


def run_now(report: Report, label: str | None) -> list[Made]:
    """Make a report of a period (the last one), if it was not made before.

    Raises:
        PermanentError: it can't be made, or the label is no period of this report.
    """
    period = period_of(report, datetime.now(UTC))
    if label is not None:
        period = named_period(label, kind_of(report), report.timezone)
    with ledger() as book:
        asked = book.ask([wanted(report, report.name, "scheduled", period)], most=_ANY_NUMBER)
    made: list[Made] = []
    queue = deque(run.id for run in asked)
    while queue:
        result = _one(queue.popleft())
        queue.extend(result.get("children", []))
        made.append(result)
    return made


def _one(run_id: int) -> Made:
    try:
        made = make_run(run_id)
    except (PermanentError, OSError) as error:
        with ledger() as book:
            run = book.read(run_id)
            give_up(book, run, str(error))
        return Made(**summary(run, "failed"), error=str(error))
    if made is not None:
        return made
    with ledger() as book:
        run = book.read(run_id)
    reason = f"made before, or by somebody else now: reports resend {run_id} sends it again"
    return Made(**summary(run, "skipped"), reason=reason)


def resend(run_id: int, *, failed: bool) -> Delivery:
    """Send the stored files again: to everybody, or to those whom they did not reach.

    Raises:
        ResendError: there is no such run, it has no files, or nobody missed it.
    """
    with warehouse() as connection:
        _check_has_files(connection, run_id)
        messages = outbox.messages_of(connection, "reports", str(run_id), kind="report")
        if not sum(outbox.resend(connection, each, failed_only=failed) for each in messages):
            raise ResendError(f"Run {run_id}: {_why_nobody(connection, messages, failed=failed)}.")
        before = delivery_of(connection, messages)
    return send_messages(messages, sent_before=before["sent"])


def _check_has_files(connection: Connection, run_id: int) -> None:
    rows = run_sql(connection, "reports/read", id=run_id)
    status = rows[0]["status"] if rows else None
    if status != "ready":
        latest = run_sql(connection, "reports/latest_runs")
        raise ResendError(_nothing(run_id, status, [each["shown"] for each in latest]))


def _why_nobody(connection: Connection, messages: Sequence[UUID], *, failed: bool) -> str:
    counts = outbox.delivery_statuses(connection, messages)
    if counts.get("pending", 0) + counts.get("sending", 0):
        return "its messages are still waiting to be sent"
    return "nobody missed it" if failed else "it has no recipients"


def _nothing(run_id: int, status: str | None, latest: list[str]) -> str:
    what = f"Run {run_id} is {status}" if status else f"There is no run {run_id}"
    return f"{what}; it has no files. The last ones that have:\n" + "\n".join(latest)
