"""Compare what was sent with what the SQL returns now, where the data changed, and notify the owners.

Reads, as each report's reader, what its SQL reads; writes ops.report_comparisons and enqueues messages. The
definition and the period of the comparison are those of the run. Safe to repeat and to kill: a comparison is one
update, and the messages of a report are enqueued in the transaction that marks its owner notified. The time of one
call is limited; what is left is compared by the next one.
"""

import logging
import time
from dataclasses import dataclass, field
from datetime import timedelta

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import run_sql, warehouse
from analytics_worker.delivery import deliver_due
from analytics_worker.errors import is_database_outage
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.reports.restatement.comparison import Change, compare, movements
from flows.reports.restatement.notices import notify_owner
from flows.reports.restatement.parts import Part
from flows.reports.restatement.reading import ReplicaBehindError, current_parts
from flows.reports.restatement.store import StoredComparison, read_comparison, save_comparison
from flows.reports.runs.model import ReportRun, run_from_row

SEND_BUDGET = timedelta(seconds=30)
_log = logging.getLogger(__name__)


@dataclass
class RestatementCheck:
    """What one call did: runs that it compared and left, and reports whose owner is notified."""

    compared: int = 0
    left: int = 0
    notified: list[str] = field(default_factory=list[str])


def check_restatements() -> RestatementCheck:
    """Compare the runs whose relations changed, for REPORT_RESTATEMENT_SECONDS, and notify owners.

    Raises:
        SQLAlchemyError: the database is unavailable.
        CircuitOpenError: it is known to be unavailable.
    """
    days = settings().report_restatement_days
    if not days:
        return RestatementCheck()
    with warehouse() as connection:
        due = run_sql(connection, "reports/comparisons_due", days=days)
    check = RestatementCheck(left=len(due))
    end = time.monotonic() + settings().report_restatement_seconds
    for row in due:
        if time.monotonic() >= end:
            break
        compare_run(row["id"])
        check.compared += 1
        check.left -= 1
    check.notified = _notify([row["report"] for row in due[check.compared :]])
    if check.notified:
        deliver_due("reports", budget=SEND_BUDGET)
    return check


def _notify(comparing: list[str]) -> list[str]:
    """Notify the owners of the reports that are not being compared any more; return these reports."""
    with warehouse() as connection:
        rows = run_sql(connection, "reports/reports_to_notify", comparing=sorted(set(comparing)))
    return [row["report"] for row in rows if _notify_of(row["report"])]


def _notify_of(report: str) -> bool:
    """Notify the owner of a report; return whether there was a message. An error is that of the report alone."""
    try:
        with warehouse() as connection:
            return notify_owner(connection, report)
    except Exception as error:  # any error that is no outage is the report's own
        if isinstance(error, CircuitOpenError) or is_database_outage(error):
            raise
        _log.warning("could not notify the owner of report %r", report, exc_info=error)
        return False


def compare_run(run_id: int) -> None:
    """Compare what a run sent with now, and store the result; an error is stored as that of the run."""
    with warehouse() as connection:
        stored = read_comparison(connection, run_id)
        rows = run_sql(connection, "reports/read", id=run_id)
    if stored is None or not rows:
        return
    try:
        changes, error = _compared(run_from_row(rows[0]), stored)
    except ReplicaBehindError:
        return  # the next call compares it
    except Exception as raised:  # noqa: BLE001  # the run's own; if the warehouse is unavailable, the next statement fails
        changes, error = stored.changes, one_line(f"{type(raised).__name__}: {raised}")
    moved = movements(stored.changes, changes, [part.key for part in _comparable(stored)])
    with warehouse() as connection:
        save_comparison(connection, run_id, stored, changes, moved if error is None else [], error)


def _compared(run: ReportRun, stored: StoredComparison) -> tuple[list[Change], str | None]:
    """Return the changes of a run, and the first error; parts with errors are as they were before."""
    parts = _comparable(stored)
    limit = timedelta(seconds=settings().report_restatement_seconds)
    result = compare(parts, current_parts(run, parts, limit, stored.changed_at))
    failed = {part.key for part in result.failed}
    unknown = [change for change in stored.changes if change.key in failed]
    error = next((part.problem for part in result.failed), None)
    return [*result.changes, *unknown], error


def _comparable(stored: StoredComparison) -> list[Part]:
    return [part for part in stored.parts if part.problem is None]
