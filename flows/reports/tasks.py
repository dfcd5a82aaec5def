"""Steps that the report flows share: generate runs, combine their results, and describe them.

Reads and writes the report tables and files, and writes artifacts. Each step is safe to repeat: a finished
run is not generated again, and a message is sent once to each recipient.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from prefect import Task, get_run_logger
from psycopg2 import Error as DriverError
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.delivery import DeliveryCounts
from analytics_worker.errors import PermanentError, chain
from analytics_worker.prefect_support.request_origin import request_origin
from analytics_worker.prefect_support.results import FlowResult, Status, flow_result
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.reports.gate.gate import Hold, hold_run, pass_gate
from flows.reports.gate.parts import hold_parts
from flows.reports.output.generator import ReportRunResult, generate, result_fields
from flows.reports.output.ui_artifacts import publish_artifacts, report_progress
from flows.reports.runs.delivery import DeliverySummary, describe_delivery
from flows.reports.runs.early_sender import early_sender
from flows.reports.runs.failures import NOT_NOTIFIED, fail_run
from flows.reports.runs.model import ReportRun, period_label
from flows.reports.runs.side_by_side import side_by_side
from flows.reports.runs.store import RunStore, open_run_store
from flows.reports.scheduling.fan_out import fan_out, row_of_run

MAX_NAMED_REPORTS = 5


class ReportContentError(PermanentError):
    """A report caused an error that no module expected; it would cause it again."""


class ReportClaimedError(Exception):
    """A lost run of the same request still holds the report; a later run can generate it."""


_WORTH_A_RETRY = (PermanentError, CircuitOpenError, OSError, SQLAlchemyError, DriverError)
"""Errors that say themselves whether a retry helps; it never does after any other one."""


class ReportResult(FlowResult):
    """Result of the two flows for one report."""

    reports: list[ReportRunResult]
    """One; with ``for_each`` one more for each row."""
    delivery: DeliverySummary


def request_run(request: dict[str, Any]) -> list[int]:
    """Request one run; return its id in a list, as `generate_and_deliver` takes it."""
    with open_run_store() as store:
        return [run.id for run in store.request_runs([request])]


def generate_run(run_id: int, *, by_hand: bool = False) -> ReportRunResult | None:
    """Generate one run, or hold it; None if it is finished or claimed by another worker.

    Args:
        run_id: The run.
        by_hand: Whether a person wants it now: then it is not held.

    Raises:
        Exception: the attempt failed; the run is released for another attempt.
    """
    with open_run_store() as store:
        run = store.claim(run_id)
        if run is None:
            return None
        try:
            result = _generate(store, run, by_hand=by_hand)
        except Exception as error:
            _release(store, run, error)
            if isinstance(error, _WORTH_A_RETRY):
                raise
            message = one_line(f"{type(error).__name__}: {error}")
            raise ReportContentError(message) from error
    publish_artifacts(result)
    return result


def _generate(store: RunStore, run: ReportRun, *, by_hand: bool) -> ReportRunResult:
    passed = pass_gate(run, by_hand=by_hand)
    if isinstance(passed, Hold):
        return hold_run(store, run, passed)
    for_each = run.report.for_each
    if for_each and not run.key:
        return fan_out(store, run, for_each)  # each key passes the gate itself
    run = passed.run
    if for_each and not run.row:
        run = replace(run, row=row_of_run(run, for_each))
    run = hold_parts(run, by_hand=by_hand)
    with report_progress(run) as progress:
        return generate(store, run, progress, passed.facts)


def _release(store: RunStore, run: ReportRun, error: Exception) -> None:
    try:
        store.release(run.id, one_line(str(error)))
    except SQLAlchemyError:
        return  # the database is unavailable; the run can be claimed after this worker's lock is released


class Generated(NamedTuple):
    """What was generated, and what was sent meanwhile."""

    results: list[ReportRunResult]
    sent: list[DeliveryCounts]


def generate_all(
    generate_report: Task[..., Any],
    run_ids: Iterable[int],
    poll: Callable[[], Iterable[int]] = tuple,
) -> Generated:
    """Generate each run, and the runs that ``for_each`` adds, in a task of its own.

    REPORT_CONCURRENCY reports are generated at a time. The message of each is sent when it is ready.

    Args:
        generate_report: The task that generates a run.
        run_ids: The runs.
        poll: Returns further runs while others take long.

    Raises:
        CircuitOpenError: the circuit breaker of the database is open; a later flow run continues.
    """
    results: dict[int, ReportRunResult] = {}
    known: set[int] = set()

    def new(ids: Iterable[int]) -> list[int]:
        fresh = [each for each in ids if each not in known]
        known.update(fresh)
        return fresh

    with early_sender() as sender:
        for result in side_by_side(
            partial(_result_of, generate_report),
            new(run_ids),
            more=lambda result: new(_children(result)),
            poll=lambda: new(poll()),
            threads=settings().report_concurrency,
        ):
            if result is not None:
                results[result["run"]] = result
                if result["status"] == "held":
                    known.discard(result["run"])  # it may pass while others take long
                sender.report_ready()
    return Generated(sorted(results.values(), key=itemgetter("run")), sender.counts)


def _result_of(generate_report: Task[..., Any], run_id: int) -> ReportRunResult | None:
    state = generate_report(run_id, return_state=True)
    result = state.result(raise_on_failure=False)
    return _failed_result(run_id, result) if isinstance(result, BaseException) else result


def _children(result: ReportRunResult | None) -> list[int]:
    return result.get("children", []) if result else []


def _failed_result(run_id: int, error: BaseException) -> ReportRunResult:
    """Mark the run failed and notify its owner; it is not retried within this flow run."""
    circuit_open = next((link for link in chain(error) if isinstance(link, CircuitOpenError)), None)
    if circuit_open is not None:
        raise circuit_open
    if not isinstance(error, Exception):
        raise error
    message = one_line(str(error)) or type(error).__name__
    with open_run_store() as store:
        run = store.read(run_id)
        notified = fail_run(store, run, message)
    get_run_logger().error("%s of %s failed: %s", run.report.name, period_label(run), message)
    notes = [] if notified else [NOT_NOTIFIED]
    return ReportRunResult(**result_fields(run, "failed"), error=message, notes=notes)


def generate_and_deliver(
    run_ids: list[int], generate_report: Task[..., Any], deliver_reports: Task[..., Any]
) -> ReportResult:
    """Generate and deliver a report that was requested on its own."""
    results, sent = generate_all(generate_report, run_ids)
    delivery: DeliverySummary = deliver_reports([result["run"] for result in results], sent)
    errors = [result["error"] for result in results if "error" in result]
    reports = [describe_result(result) for result in results] or [_reason_not_generated(run_ids)]
    message = f"{'; '.join(reports[:MAX_NAMED_REPORTS])}; {describe_delivery(delivery)}"
    common = flow_result(
        combined_status(results, delivery), message, error=errors[0] if errors else None
    )
    return ReportResult(**common, reports=results, delivery=delivery)


def _reason_not_generated(run_ids: Sequence[int]) -> str:
    """Return why no run was generated.

    Raises:
        ReportClaimedError: this run repeats a lost one, which still holds the report.
    """
    with open_run_store() as store:
        statuses = {store.status(run_id) for run_id in run_ids}
    if statuses & {"pending", "running"}:
        if request_origin():
            raise ReportClaimedError("the process of an earlier run still holds the report")
        return "it is being generated by another run"
    return "it was already generated"


def combined_status(results: Sequence[ReportRunResult], delivery: DeliverySummary) -> Status:
    """Return success, unless a report or a message failed, or a failed one has no one to notify."""
    failed = sum(result["status"] == "failed" for result in results)
    if failed or delivery["failed"] or delivery["unheard"]:
        return "failed" if failed == len(results) > 0 else "partial"
    return "success"


def describe_result(result: ReportRunResult) -> str:
    """Describe the result of one report run in one line."""
    name = f"{result['report']} ({result['key']})" if result["key"] else result["report"]
    if result["status"] == "ready":
        rows = result.get("rows", 0)
        truncated = ", truncated" if result.get("truncated") else ""
        return f"{name}: {rows:,} row{'' if rows == 1 else 's'}{truncated}"
    reason = (result.get("error") or result.get("reason") or "").removeprefix(
        f"{result['report']}: "
    )
    text = f"{name}: {result['status']}: {reason}".rstrip(": ")
    not_notified = NOT_NOTIFIED in result.get("notes", [])
    return f"{text} ({NOT_NOTIFIED.rstrip('.')})" if not_notified else text
