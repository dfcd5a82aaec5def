"""Refresh the KPI views: in dependency order, two at a time, and only where something changed.

Reads pg_catalog, the statistics and ``ops.refresh_log``; rewrites the contents of materialized
views and adds to the log. Safe to repeat, also at the same time: a lock admits one
refresh of a view at a time.
"""

from collections import Counter
from collections.abc import Iterable
from typing import TypedDict

from prefect import get_run_logger
from prefect.artifacts import create_table_artifact

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import warehouse
from analytics_worker.errors import chain
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, outcome, status_of
from analytics_worker.prefect_support.retries import REFRESH
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from flows.analytics import _cancellation, _change_detection, _refresh_log_store
from flows.analytics._refresh import refresh
from flows.analytics._refresh_log_store import ViewResult
from flows.analytics._scheduler import Plan, carry_out
from flows.analytics._views import View, chosen, materialized_views

NAMED = "named by the caller"


class Summary(TypedDict):
    """How many views there were, by outcome."""

    total: int
    successful: int
    failed: int
    skipped: int


class RefreshViews(FlowResult):
    """What `refresh_materialized_views` reports."""

    results: list[ViewResult]
    summary: Summary


@task(**REFRESH, name="find materialized views")
def find_views(view_names: list[str] | None) -> list[View]:
    """The views to look at: those that were named, or all.

    Raises:
        UnknownViewError: a name fits no view, or several; nothing was refreshed.
    """
    _refresh_log_store.settle_orphans()
    with warehouse() as connection:
        known = materialized_views(connection, settings().analytics_schemas)
    return known if view_names is None else chosen(view_names, known)


@task(**REFRESH, name="look for changes")
def look_for_changes(views: list[View]) -> dict[int, str | None]:
    """For each view why it must be refreshed, or None if that would change nothing."""
    return _change_detection.reasons_to_refresh([view.oid for view in views])


@task(**REFRESH, task_run_name="refresh {view.label}")
def refresh_view(view: View, reason: str, side_by_side: int) -> ViewResult:
    """Refresh one view, while so many are refreshed at the same time."""
    return refresh(view, reason, side_by_side)


@task(**REFRESH, name="record skipped views")
def record_skipped(skipped: list[_refresh_log_store.Skipped]) -> None:
    """Keep in the refresh log which views were not refreshed, and why."""
    _refresh_log_store.record_skipped(skipped)


@flow(timeout_seconds=7200)
def refresh_materialized_views(view_names: list[str] | None = None) -> RefreshViews:
    """Refresh materialized views in dependency order, concurrently where they allow it.

    Args:
        view_names: Which ones, in any spelling that SQL knows; these are refreshed even if nothing
            changed. By default all views of the analytics schemas whose inputs changed.
    """
    in_flight = _cancellation.InFlight()
    token = _cancellation.current.set(in_flight)
    try:
        plan = _planned(find_views(view_names), is_named=view_names is not None)
        carry_out(plan, refresh_view, settings().refresh_parallelism)
        if plan.skipped:
            record_skipped(plan.skipped)
    except BaseException:
        in_flight.cancel()
        raise
    finally:
        _cancellation.current.reset(token)
    return _report(plan)


def _planned(views: list[View], *, is_named: bool) -> Plan:
    if is_named or not views:
        return Plan(views, {view.oid: NAMED for view in views})
    return Plan(views, look_for_changes(views))


def _report(plan: Plan) -> RefreshViews:
    results = plan.in_order()
    for result in results:
        (get_run_logger().error if result["error"] else get_run_logger().info)(in_words(result))
    counts = Counter(result["status"] for result in results)
    if not counts["success"]:
        _raise_if_open(plan.errors.values())
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
            description=sentence(summary),
        )
    status = status_of(succeeded=summary["successful"], failed=summary["failed"])
    return {**outcome(status, sentence(summary)), "results": results, "summary": summary}


def _raise_if_open(errors: Iterable[BaseException]) -> None:
    for error in errors:
        if any(isinstance(link, CircuitOpenError) for link in chain(error)):
            raise error


def in_words(result: ViewResult) -> str:
    """One line about one view."""
    if result["error"]:
        return f"{result['view']} failed: {result['error']}"
    if result["status"] == "skipped":
        return f"{result['view']} skipped: {result['reason']}"
    rows = "" if result["rows"] is None else f", {result['rows']:,} rows"
    waited = f", {result['wait_seconds']:.1f} s of waiting" if result["wait_seconds"] else ""
    how = "plainly" if result["mode"] == "plain" else "concurrently"
    return (
        f"{result['view']} refreshed {how} in {result['seconds']:.2f} s{rows}{waited}"
        f" ({result['reason']})"
    )


def sentence(summary: Summary) -> str:
    """The whole run in one line."""
    if not summary["total"]:
        return "No materialized views to refresh"
    parts = [f"{summary['successful']} refreshed"]
    parts += [f"{summary[key]} {key}" for key in ("skipped", "failed") if summary[key]]
    views = "view" if summary["total"] == 1 else "views"
    return f"{summary['total']} materialized {views}: {', '.join(parts)}"
