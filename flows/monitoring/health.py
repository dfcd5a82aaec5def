"""Every five minutes: is everything there that the worker needs?

Reads the database, the Prefect API, Redis, the mail server, the web hook's host, the dbt project and
this machine, all at the same time, each within its own limit; writes the artifact ``health`` and the
verdict on the dbt project. Safe to repeat: it changes nothing that it looks at.
"""

import re
from collections.abc import Callable
from functools import partial

from prefect import get_run_logger
from prefect.artifacts import create_markdown_artifact

from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.results import FlowResult, flow_result
from analytics_worker.prefect_support.retries import MONITORING
from analytics_worker.prefect_support.task import task
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.monitoring._checks import Check, CheckResult, CheckStatus, overall, run_checks
from flows.monitoring._database_check import FIX as DATABASE_FIX
from flows.monitoring._database_check import check_database
from flows.monitoring._dbt_check import PARSE_SECONDS, check_dbt
from flows.monitoring._delivery_check import FIX as MESSAGES_FIX
from flows.monitoring._delivery_check import check_messages
from flows.monitoring._host_checks import check_disk, check_system
from flows.monitoring._service_checks import (
    API_FIX,
    check_api,
    check_mail,
    check_pool,
    check_redis,
    check_slack,
    check_webhook,
)

MARKS = {"healthy": "🟢", "degraded": "🟡", "unhealthy": "🔴", "skipped": "⚪"}


class HealthCheck(FlowResult):
    """What `health_check` reports."""

    overall: CheckStatus
    checks: list[CheckResult]


def checks() -> list[Check]:
    """What is looked at."""
    within = partial(Check, timeout_seconds=settings().health_check_timeout_seconds)
    return [
        within("analytics database", check_database, fix=DATABASE_FIX),
        within("prefect api", check_api, fix=API_FIX),
        *(within(f"worker of {pool.name}", check_pool(pool.name), fix=API_FIX) for pool in pools()),
        within("redis", check_redis, fix="Start Redis, or correct REDIS_URL."),
        within("mail server", check_mail, worst="degraded", fix="Correct ALERT_EMAIL_*."),
        within("webhook", check_webhook, worst="degraded", fix="Correct ALERT_WEBHOOK_URL."),
        within("slack", check_slack, worst="degraded", fix="Correct ALERT_SLACK_URL."),
        within("messages", check_messages, worst="degraded", fix=MESSAGES_FIX),
        within("system", check_system, worst="degraded"),
        within("disk", check_disk),
        Check("dbt project", check_dbt, PARSE_SECONDS, "degraded", "Run `dbt parse`."),
    ]


@task(**MONITORING, name="run checks")
def run_all() -> list[CheckResult]:
    """Every check, side by side."""
    return run_checks(checks())


@task(**MONITORING, name="show health")
def show(results: list[CheckResult]) -> None:
    """Leave the result in the UI."""
    create_markdown_artifact(page(results), key="health", description=sentence(results))


@flow(timeout_seconds=120)
def health_check() -> HealthCheck:
    """Check everything the worker depends on; unhealthy is a failed run, degraded is not."""
    results = run_all()
    show(results)
    for result in _worst_first(results):
        get_run_logger().warning("%s: %s", result["name"], _told(result))
    verdict = overall(results)
    status = "failed" if verdict == "unhealthy" else "success"
    return {**flow_result(status, sentence(results)), "overall": verdict, "checks": results}


def sentence(results: list[CheckResult]) -> str:
    """The verdict, what is wrong, and what to do about the worst."""
    verdict = overall(results)
    if verdict == "healthy":
        skipped = sum(result["status"] == "skipped" for result in results)
        return f"healthy: {len(results) - skipped} checks, {skipped} not configured"
    wrong = _worst_first(results)
    said = "; ".join(f"{result['name']}: {result['message'].rstrip('.')}" for result in wrong)
    return f"{verdict}: {said}. {wrong[0]['fix']}".strip()


def page(results: list[CheckResult]) -> str:
    """The result as Markdown: what is wrong and what to do about it, then every check."""
    verdict = overall(results)
    wrong = [
        f"- {MARKS[result['status']]} **{result['name']}**: {_sentences(result, _markdown)}"
        for result in _worst_first(results)
    ]
    rows = [
        f"| {result['name']} | {MARKS[result['status']]} {result['status']} |"
        f" {result['milliseconds']:,.0f} | {_markdown(result['message'])} |"
        for result in results
    ]
    heading = ["| check | | ms | what it found |", "|---|---|---:|---|"]
    return "\n".join([f"# {MARKS[verdict]} {verdict}", "", *wrong, "", *heading, *rows])


def _told(result: CheckResult) -> str:
    """What was found, and what to do about it, as two sentences."""
    return _sentences(result, str)


def _sentences(result: CheckResult, shown: Callable[[str], str]) -> str:
    return f"{shown(result['message'].rstrip('.'))}. {result['fix']}".strip()


def _worst_first(results: list[CheckResult]) -> list[CheckResult]:
    wrong = [result for result in results if result["status"] in {"degraded", "unhealthy"}]
    return sorted(wrong, key=lambda result: result["status"] != "unhealthy")


def _markdown(text: str) -> str:
    """Text that a server or a check has said, without links, markup and cells of its own."""
    return re.sub(r"([\\`*\[\]<>|])", r"\\\1", one_line(text))
