"""Run health checks concurrently, each with its own timeout: one that hangs does not delay the others.

Reads and writes only what the checks do. A check that times out stays in its daemon thread, which does not
keep the process from ending.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal, TypedDict

from httpx import HTTPStatusError

from analytics_worker.prefect_support.api_client import refusal
from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.text import one_line

CheckStatus = Literal["healthy", "degraded", "unhealthy", "skipped"]
SEVERITY_ORDER: list[CheckStatus] = ["skipped", "healthy", "degraded", "unhealthy"]


@dataclass(frozen=True)
class Finding:
    """The outcome of a check, with a message and how to fix it."""

    status: CheckStatus
    message: str
    fix: str = ""


class CheckResult(TypedDict):
    """One row of the result of `health_check`."""

    name: str
    status: CheckStatus
    milliseconds: float
    message: str
    fix: str


@dataclass(frozen=True)
class Check:
    """A health check. ``failure_status`` is its status if it raises an error or times out."""

    name: str
    run: Callable[[], Finding]
    timeout_seconds: float
    failure_status: CheckStatus = "unhealthy"
    fix: str = ""


def run_checks(checks: Sequence[Check]) -> list[CheckResult]:
    """Return all results in the order of the checks, once each has ended or timed out."""
    completed: SimpleQueue[tuple[str, CheckResult]] = SimpleQueue()
    for check in checks:
        context = contextvars.copy_context()  # Prefect's settings live in it
        arguments = (_run_check, check, completed)
        threading.Thread(target=context.run, args=arguments, daemon=True).start()
    results = _collect(checks, completed)
    return [results.get(check.name) or _timeout_result(check) for check in checks]


def overall_status(results: Sequence[CheckResult]) -> CheckStatus:
    """Return the worst status; ``healthy`` if all were skipped."""
    worst = max((SEVERITY_ORDER.index(result["status"]) for result in results), default=1)
    return SEVERITY_ORDER[max(worst, 1)]


def _collect(
    checks: Sequence[Check], completed: "SimpleQueue[tuple[str, CheckResult]]"
) -> dict[str, CheckResult]:
    started = time.monotonic()
    deadlines = {check.name: started + check.timeout_seconds for check in checks}
    results: dict[str, CheckResult] = {}
    while pending := [limit for name, limit in deadlines.items() if name not in results]:
        remaining = max(pending) - time.monotonic()
        try:
            name, result = completed.get(timeout=max(remaining, 0))
        except Empty:
            break
        if time.monotonic() <= deadlines[name]:
            results[name] = result
        else:
            deadlines.pop(name)
    return results


def _run_check(check: Check, completed: "SimpleQueue[tuple[str, CheckResult]]") -> None:
    started = time.perf_counter()
    try:
        finding = check.run()
    except Exception as error:  # noqa: BLE001  # any error is the result of the check
        finding = _failure(check, error)
    completed.put((check.name, _result(check, finding, time.perf_counter() - started)))


def _failure(check: Check, error: Exception) -> Finding:
    """Return the finding for an error; what the Prefect API refuses has a fix of its own."""
    if refused := refusal(error):
        return Finding(check.failure_status, refused.problem, refused.fix or check.fix)
    if isinstance(error, HTTPStatusError):
        return Finding(check.failure_status, api_problem(error), check.fix)
    message = one_line(str(error) or type(error).__name__)
    return Finding(check.failure_status, message, check.fix)


def _timeout_result(check: Check) -> CheckResult:
    seconds = check.timeout_seconds
    finding = Finding(check.failure_status, f"no answer within {seconds:g} s", check.fix)
    return _result(check, finding, seconds)


def _result(check: Check, finding: Finding, seconds: float) -> CheckResult:
    return CheckResult(
        name=check.name,
        status=finding.status,
        milliseconds=round(seconds * 1000, 1),
        message=finding.message,
        fix=finding.fix,
    )
