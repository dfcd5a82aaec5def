"""Check every five minutes everything that the worker depends on.

Reads the database, the Prefect API, Redis, the mail server, the webhook's host, the dbt project and this
host, concurrently, each with its own timeout. Writes the artifact ``health`` and the cached result of the dbt
check. Safe to repeat: it changes nothing that it checks.
"""

import socket
from collections.abc import Callable
from functools import partial

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.prefect_support.table_artifacts import escape_markdown
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.monitoring.checks.database import FIX as DATABASE_FIX
from flows.monitoring.checks.database import check_database
from flows.monitoring.checks.dbt import PARSE_TIMEOUT_SECONDS, check_dbt
from flows.monitoring.checks.delivery import FIX as MESSAGES_FIX
from flows.monitoring.checks.delivery import check_messages
from flows.monitoring.checks.host import check_disk, check_system
from flows.monitoring.checks.readers import FIX as READERS_FIX
from flows.monitoring.checks.readers import check_readers
from flows.monitoring.checks.runner import (
    Check,
    CheckResult,
    CheckStatus,
    overall_status,
    run_checks,
)
from flows.monitoring.checks.services import (
    API_FIX,
    check_api,
    check_deployments,
    check_mail,
    check_pool,
    check_redis,
    check_slack,
    check_webhook,
)

STATUS_ICONS = {"healthy": "🟢", "degraded": "🟡", "unhealthy": "🔴", "skipped": "⚪"}


class HealthCheck(FlowResult):
    """The result of `health_check`."""

    overall: CheckStatus
    checks: list[CheckResult]


def all_checks() -> list[Check]:
    """Return every check with its timeout and fix."""
    check = partial(Check, timeout_seconds=settings().health_check_timeout_seconds)
    return [
        check("analytics database", check_database, fix=DATABASE_FIX),
        check("readers", check_readers, failure_status="degraded", fix=READERS_FIX),
        check("prefect api", check_api, fix=API_FIX),
        *(check(f"worker of {pool.name}", check_pool(pool.name), fix=API_FIX) for pool in pools()),
        check("deployments", check_deployments, failure_status="degraded", fix=API_FIX),
        check("redis", check_redis, fix="Start Redis, or correct REDIS_URL."),
        check("mail server", check_mail, failure_status="degraded", fix="Correct ALERT_EMAIL_*."),
        check(
            "webhook", check_webhook, failure_status="degraded", fix="Correct ALERT_WEBHOOK_URL."
        ),
        check("slack", check_slack, failure_status="degraded", fix="Correct ALERT_SLACK_URL."),
        check("messages", check_messages, failure_status="degraded", fix=MESSAGES_FIX),
        check("system", check_system, failure_status="degraded"),
        check("disk", check_disk),
        Check("dbt project", check_dbt, PARSE_TIMEOUT_SECONDS, "degraded", "Run `dbt parse`."),
    ]


@task(**MONITORING, name="run checks")
def run_all_checks() -> list[CheckResult]:
    """Run every check concurrently."""
    return run_checks(all_checks())


@task(**MONITORING, name="publish health")
def publish_health(results: list[CheckResult]) -> None:
    """Publish the result as an artifact in the UI."""
    create_markdown_artifact(health_page(results), key="health", description=summary_line(results))


def _outcome(result: HealthCheck) -> str | None:
    """Return which checks failed, for the name of the run; None if none did."""
    names = [each["name"] for each in _worst_first(result["checks"])]
    return f"{', '.join(names)} {result['overall']}" if names else None


@flow(timeout_seconds=120, outcome=_outcome)
def health_check() -> HealthCheck:
    """Check everything the worker depends on; the run fails if a check is unhealthy."""
    results = run_all_checks()
    publish_health(results)
    for result in _worst_first(results):
        get_run_logger().warning("%s: %s", result["name"], _log_line(result))
    overall = overall_status(results)
    status = "failed" if overall == "unhealthy" else "success"
    return {**flow_result(status, summary_line(results)), "overall": overall, "checks": results}


def summary_line(results: list[CheckResult]) -> str:
    """Return the overall status, the host that found it, the failed checks, and the fix of the worst one."""
    overall = overall_status(results)
    if overall == "healthy":
        skipped = sum(result["status"] == "skipped" for result in results)
        return f"healthy: {len(results) - skipped} checks, {skipped} not configured"
    failed = _worst_first(results)
    causes = "; ".join(f"{each['name']}: {each['message'].rstrip('.')}" for each in failed)
    return f"{overall} on {socket.gethostname()}: {causes}. {failed[0]['fix']}".strip()


def health_page(results: list[CheckResult]) -> str:
    """Render the result as Markdown: failed checks with their fixes, then every check."""
    overall = overall_status(results)
    failed = [
        f"- {STATUS_ICONS[result['status']]} **{result['name']}**: {_sentences(result, _escape_markdown)}"
        for result in _worst_first(results)
    ]
    rows = [
        f"| {result['name']} | {STATUS_ICONS[result['status']]} {result['status']} |"
        f" {result['milliseconds']:,.0f} | {_escape_markdown(result['message'])} |"
        for result in results
    ]
    heading = ["| check | | ms | message |", "|---|---|---:|---|"]
    return "\n".join([f"# {STATUS_ICONS[overall]} {overall}", "", *failed, "", *heading, *rows])


def _log_line(result: CheckResult) -> str:
    """Return the message and the fix as two sentences."""
    return _sentences(result, str)


def _sentences(result: CheckResult, escape: Callable[[str], str]) -> str:
    return f"{escape(result['message'].rstrip('.'))}. {result['fix']}".strip()


def _worst_first(results: list[CheckResult]) -> list[CheckResult]:
    failed = [result for result in results if result["status"] in {"degraded", "unhealthy"}]
    return sorted(failed, key=lambda result: result["status"] != "unhealthy")


def _escape_markdown(text: str) -> str:
    """Escape the text of a server or check, so that it adds no links, markup or table cells."""
    return escape_markdown(one_line(text))
