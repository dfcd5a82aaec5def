"""The steps that the report flows have in common: make, deliver, show; and what they report.

Reads and writes the report tables and files, sends messages, and writes artifacts. Each step is safe to
repeat: a run is made once, a message is sent once to each recipient.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from prefect import Task, get_run_logger
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.errors import chain
from analytics_worker.prefect_support.results import FlowResult, Status, outcome
from analytics_worker.text import one_line
from flows.reports.output.files import about
from flows.reports.output.generator import Made, make, summary
from flows.reports.output.ui_artifacts import progress_of, show
from flows.reports.runs.delivery import Delivery, described_delivery
from flows.reports.runs.failures import give_up
from flows.reports.runs.store import Ledger, Run, ledger
from flows.reports.scheduling.fan_out import expand, row_of

NOBODY_NOTIFIED = "Nobody is notified: it has no owner, and there is no default channel."


class ReportResult(FlowResult):
    """What the two flows for one report return."""

    reports: list[Made]
    """One; or one for each row that the report is made for."""
    delivery: Delivery


def make_run(run_id: int) -> Made | None:
    """Make one run, if it is nobody else's.

    Raises:
        Exception: it failed; the run waits for another attempt.
    """
    with ledger() as book:
        run = book.claim(run_id)
        if run is None:
            return None
        try:
            made = _made(book, run)
        except Exception as error:
            _put_back(book, run, error)
            raise
    show(made)
    return made


def _made(book: Ledger, run: Run) -> Made:
    each = run.report.for_each
    if each and not run.key:
        return expand(book, run, each)
    if each and not run.row:
        run = replace(run, row=row_of(run, each))
    with progress_of(run) as progress:
        return make(book, run, progress)


def _put_back(book: Ledger, run: Run, error: Exception) -> None:
    try:
        book.put_back(run.id, one_line(str(error)))
    except SQLAlchemyError:
        return  # the database is away: the run is taken up when this worker is seen to be gone


def make_all(task: Task[..., Any], run_ids: Iterable[int]) -> list[Made]:
    """Make each run in a task of its own; what fails harms no other.

    Raises:
        CircuitOpenError: the database is known to be down; the rest waits for a later flow run.
    """
    found: list[Made] = []
    queue = deque(run_ids)
    while queue:
        run_id = queue.popleft()
        state = task(run_id, return_state=True)
        result = state.result(raise_on_failure=False)
        if isinstance(result, BaseException):
            result = _given_up(run_id, result)
        if result is not None:
            queue.extend(result.get("children", []))
            found.append(result)
    return found


def _given_up(run_id: int, error: BaseException) -> Made:
    """Nobody tries it again within this flow run: its owner is told."""
    opened = next((link for link in chain(error) if isinstance(link, CircuitOpenError)), None)
    if opened is not None:
        raise opened
    if not isinstance(error, Exception):
        raise error
    message = one_line(str(error)) or type(error).__name__
    with ledger() as book:
        run = book.read(run_id)
        notified = give_up(book, run, message)
    get_run_logger().error("%s of %s failed: %s", run.report.name, about(run), message)
    notes = [] if notified else [NOBODY_NOTIFIED]
    return Made(**summary(run, "failed"), error=message, notes=notes)


def status(made: Sequence[Made], delivery: Delivery) -> Status:
    """Not green if a report failed, a message failed, or nobody could be notified of that."""
    failed = sum(each["status"] == "failed" for each in made)
    if failed or delivery["failed"] or delivery["unheard"]:
        return "failed" if failed == len(made) > 0 else "partial"
    return "success"


def result_of_one(asked: Sequence[int], made: list[Made], delivery: Delivery) -> ReportResult:
    """Of a report that was asked for by itself."""
    errors = [each["error"] for each in made if "error" in each]
    reports = [described(each) for each in made] or [_reason_not_made(asked)]
    message = f"{'; '.join(reports[:5])}; {described_delivery(delivery)}"
    common = outcome(status(made, delivery), message, error=errors[0] if errors else None)
    return ReportResult(**common, reports=made, delivery=delivery)


def _reason_not_made(asked: Sequence[int]) -> str:
    with ledger() as book:
        states = {book.status(run_id) for run_id in asked}
    if states & {"pending", "running"}:
        return "it is being made by another run"
    return "it was made before"


def described(made: Made) -> str:
    """One report in a few words."""
    name = f"{made['report']} ({made['key']})" if made["key"] else made["report"]
    if made["status"] == "ready":
        rows = made.get("rows", 0)
        cut = ", cut" if made.get("truncated") else ""
        return f"{name}: {rows:,} row{'' if rows == 1 else 's'}{cut}"
    text = f"{name}: {made['status']}: {made.get('error') or made.get('reason') or ''}".rstrip(": ")
    return f"{text} ({NOBODY_NOTIFIED.rstrip('.')})" if _is_unnotified(made) else text


def _is_unnotified(made: Made) -> bool:
    return NOBODY_NOTIFIED in made.get("notes", [])
