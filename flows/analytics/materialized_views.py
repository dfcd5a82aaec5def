"""Refresh the materialized views in dependency order, several at a time, if their inputs changed.

Reads pg_catalog, the statistics and ``ops.refresh_log``; rewrites the contents of materialized
views and adds to the log. Safe to repeat, even concurrently: a lock admits one
refresh of a view at a time.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypedDict

from prefect import get_run_logger

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.completeness.measure import measure
from analytics_worker.database.connections import warehouse
from analytics_worker.errors import PermanentError, chain
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.parameter_forms import listed_or_none
from analytics_worker.prefect_support.results import FlowResult, flow_result, status_of
from analytics_worker.prefect_support.retries import REFRESH
from analytics_worker.prefect_support.run_names import listed
from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.analytics import _cancellation, _change_detection, _refresh_log_store
from flows.analytics._refresh import refresh
from flows.analytics._refresh_log_store import ViewResult
from flows.analytics._refresh_order import Plan, run_plan
from flows.analytics._views import View, materialized_views, select_views

NAMED_REASON = "named by the caller"
FAILURES_IN_MESSAGE = 3
MAX_FAILURES_LENGTH = 400

ViewNames = Annotated[
    list[str] | None,
    listed_or_none(
        "These views", "All views whose inputs changed", ["pipeline_kpis", "revenue_kpis"]
    ),
]


class Summary(TypedDict):
    """Number of views by result."""

    total: int
    successful: int
    failed: int
    skipped: int


class RefreshViews(FlowResult):
    """Result of `refresh_materialized_views`."""

    results: list[ViewResult]
    summary: Summary


@task(**REFRESH, name="find materialized views")
def find_views(view_names: list[str] | None) -> list[View]:
    """Return the named views, or all.

    Raises:
        UnknownViewError: a name matches no view, or several; nothing was refreshed.
    """
    _refresh_log_store.settle_orphans()
    with warehouse() as connection:
        known = materialized_views(connection, settings().analytics_schemas)
    return known if view_names is None else select_views(view_names, known)


@task(**REFRESH, name="detect changes")
def detect_changes(views: list[View]) -> dict[int, str | None]:
    """Return why each view must be refreshed; None if a refresh would change nothing."""
    return _change_detection.reasons_to_refresh([view.oid for view in views])


@task(**REFRESH, name="measure inputs")
def measure_inputs() -> None:
    """Measure the declared event-time columns, so that what is refreshed now counts as complete through them.

    What can't be measured is reported by `refresh_catalog`.
    """
    try:
        measure()
    except PermanentError as error:
        get_run_logger().warning("completeness was not measured: %s", error)


@task(**REFRESH, task_run_name="refresh {view.label}")
def refresh_view(view: View, reason: str, concurrency: int) -> ViewResult:
    """Refresh one view; ``concurrency`` is the number of views refreshed at the same time."""
    return refresh(view, reason, concurrency)


@task(**REFRESH, name="record skipped views")
def record_skipped(skipped: list[_refresh_log_store.Skipped]) -> None:
    """Record skipped views in the refresh log, with the reasons."""
    _refresh_log_store.record_skipped(skipped)


def _run_name(parameters: Mapping[str, Any], _due: datetime) -> str:
    """Return ``refresh: pipeline_kpis`` or, of all views, ``materialized views``."""
    names = parameters.get("view_names")
    return "materialized views" if names is None else f"refresh: {listed(names)}"


def _outcome(result: RefreshViews) -> str | None:
    """Return how many views were refreshed and failed; None if there were none."""
    counts = {"refreshed": result["summary"]["successful"], "failed": result["summary"]["failed"]}
    return ", ".join(f"{count} {label}" for label, count in counts.items() if count) or None


@flow(timeout_seconds=7200, run_name=_run_name, outcome=_outcome)
def refresh_materialized_views(view_names: ViewNames = None) -> RefreshViews:
    """Refresh materialized views in dependency order, concurrently where they allow it.

    Args:
        view_names: Names of views, as SQL accepts them; these are refreshed even if nothing
            changed. Default: all views of the analytics schemas whose inputs changed.
    """
    running_statements = _cancellation.RunningStatements()
    token = _cancellation.current.set(running_statements)
    try:
        plan = _plan(find_views(view_names), is_named=view_names is not None)
        if plan.unchanged < len(plan.views):
            measure_inputs()
        run_plan(plan, refresh_view, settings().refresh_parallelism)
        if plan.skipped:
            record_skipped(plan.skipped)
    except BaseException:
        running_statements.cancel()
        raise
    finally:
        _cancellation.current.reset(token)
    return _flow_result(plan)


def _plan(views: list[View], *, is_named: bool) -> Plan:
    if is_named or not views:
        return Plan(views, {view.oid: NAMED_REASON for view in views})
    return Plan(views, detect_changes(views))


def _flow_result(plan: Plan) -> RefreshViews:
    results = plan.ordered_results()
    for result in results:
        (get_run_logger().error if result["error"] else get_run_logger().info)(result_line(result))
    counts = Counter(result["status"] for result in results)
    if not counts["success"]:
        _raise_if_circuit_open(plan.errors.values())
    summary = Summary(
        total=len(results),
        successful=counts["success"],
        failed=counts["failed"],
        skipped=counts["skipped"],
    )
    if results:
        create_table_artifact(
            [dict(result) for result in results],
            key="materialized-views",
            description=summary_line(summary),
        )
    fresh = summary["successful"] + plan.up_to_date
    status = status_of(succeeded=fresh, failed=summary["failed"])
    message = ". ".join([summary_line(summary), *_failures(results)])
    return {**flow_result(status, message), "results": results, "summary": summary}


def _failures(results: Sequence[ViewResult]) -> list[str]:
    """Name the first failed views with their errors; the artifact has all."""
    failed = [f"{each['view']}: {each['error']}" for each in results if each["error"]]
    named = "; ".join(failed[:FAILURES_IN_MESSAGE])
    return [one_line(named, MAX_FAILURES_LENGTH)] if named else []


def _raise_if_circuit_open(errors: Iterable[BaseException]) -> None:
    for error in errors:
        if any(isinstance(link, CircuitOpenError) for link in chain(error)):
            raise error


def result_line(result: ViewResult) -> str:
    """Describe the result of one view in one line."""
    if result["error"]:
        return f"{result['view']} failed: {result['error']}"
    if result["status"] == "skipped":
        return f"{result['view']} skipped: {result['reason']}"
    rows = "" if result["rows"] is None else f", {result['rows']:,} rows"
    waited = f", {result['wait_seconds']:.1f} s waiting for locks" if result["wait_seconds"] else ""
    mode = "plainly" if result["mode"] == "plain" else "concurrently"
    return (
        f"{result['view']} refreshed {mode} in {result['seconds']:.2f} s{rows}{waited}"
        f" ({result['reason']})"
    )


def summary_line(summary: Summary) -> str:
    """Describe the run in one line."""
    if not summary["total"]:
        return "No materialized views to refresh"
    parts = [f"{summary['successful']} refreshed"]
    parts += [f"{summary[key]} {key}" for key in ("skipped", "failed") if summary[key]]
    views = "view" if summary["total"] == 1 else "views"
    return f"{summary['total']} materialized {views}: {', '.join(parts)}"
