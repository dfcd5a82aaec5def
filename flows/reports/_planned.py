"""Generate and deliver the reports of a plan, and combine their results: what the planning flows share.

Reads and writes what generating and delivering do. Safe to repeat: a report is generated once per period.
"""

from collections.abc import Callable, Iterable
from typing import Any

from prefect import Task

from analytics_worker.prefect_support.results import FlowResult, Status, flow_result
from flows.reports.output.generator import ReportRunResult
from flows.reports.output.ui_artifacts import publish_summary_table
from flows.reports.runs.delivery import DeliverySummary, describe_delivery
from flows.reports.runs.model import run_title
from flows.reports.scheduling.plan import ReportPlan
from flows.reports.tasks import MAX_NAMED_REPORTS, combined_status, describe_result, generate_all


class PlannedReports(FlowResult):
    """Result of a flow that plans reports."""

    summary: dict[str, int]
    """Number of reports generated (``made``), skipped, waiting for their data, held, and failed."""
    reports: list[ReportRunResult]
    waiting: dict[str, str]
    held: dict[str, str]
    """Reports that are held, and why: their `requires` do not hold."""
    delivery: DeliverySummary


def generate_planned(
    plan: ReportPlan,
    generate_report: Task[..., Any],
    deliver_reports: Task[..., Any],
    poll: Callable[[], Iterable[int]] = tuple,
) -> PlannedReports:
    """Generate and deliver what was planned, each report independently of the others."""
    results, sent = generate_all(generate_report, plan.runs, poll)
    runs = [*(result["run"] for result in results), *plan.timed_out]
    delivery: DeliverySummary = deliver_reports(runs, sent)
    publish_summary_table(results)
    return PlannedReports(
        **flow_result(_status(results, plan, delivery), _message(results, plan, delivery)),
        summary=_summary(results, plan),
        reports=results,
        waiting=plan.waiting,
        held=_held(results, plan),
        delivery=delivery,
    )


def _summary(results: list[ReportRunResult], plan: ReportPlan) -> dict[str, int]:
    statuses = [result["status"] for result in results]
    return {
        "made": statuses.count("ready"),
        "skipped": statuses.count("skipped"),
        "waiting": len(plan.waiting),
        "held": len(_held(results, plan)),
        "failed": statuses.count("failed") + len(plan.timed_out) + len(plan.invalid),
    }


def _held(results: list[ReportRunResult], plan: ReportPlan) -> dict[str, str]:
    """Return why reports are held: those of the plan, and those that this flow run held."""
    held = [result for result in results if result["status"] == "held"]
    found = {run_title(r["report"], r["key"], r["period"]): r.get("reason") or "" for r in held}
    return plan.held | found


def _status(results: list[ReportRunResult], plan: ReportPlan, delivery: DeliverySummary) -> Status:
    """Return the combined status; a report that could not even start counts as failed."""
    if not plan.timed_out and not plan.invalid:
        return combined_status(results, delivery)
    return "partial" if any(result["status"] != "failed" for result in results) else "failed"


def _message(results: list[ReportRunResult], plan: ReportPlan, delivery: DeliverySummary) -> str:
    """Describe the run in one line, with the reasons of failures."""
    summary = _summary(results, plan)
    count = summary["made"]
    parts = [f"{count} report{'' if count == 1 else 's'} generated"]
    parts += [
        f"{summary[name]} {name}"
        for name in ("skipped", "waiting", "held", "failed")
        if summary[name]
    ]
    failures = [describe_result(result) for result in results if result["status"] == "failed"]
    failures += [f"{name}: {reason}" for name, reason in plan.invalid.items()]
    failures += [f"{name}: held: {reason}" for name, reason in _held(results, plan).items()]
    details = f" ({'; '.join(failures[:MAX_NAMED_REPORTS])})" if failures else ""
    return f"{', '.join(parts)}{details}; {describe_delivery(delivery)}"
