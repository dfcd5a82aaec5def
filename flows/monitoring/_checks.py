"""Checks that run side by side, each with its own time limit: one that hangs hangs no other.

Reads and writes only what the checks do. A check that is out of time is left behind in its thread,
which never keeps the process from ending.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Literal, TypedDict

from analytics_worker.text import one_line

CheckStatus = Literal["healthy", "degraded", "unhealthy", "skipped"]
RANK: list[CheckStatus] = ["skipped", "healthy", "degraded", "unhealthy"]


@dataclass(frozen=True)
class Finding:
    """What a check found; the fix says what to do about it."""

    status: CheckStatus
    message: str
    fix: str = ""


class CheckResult(TypedDict):
    """One line of a health check."""

    name: str
    status: CheckStatus
    milliseconds: float
    message: str
    fix: str


@dataclass(frozen=True)
class Check:
    """One thing to look at. ``worst`` is what it means when the check fails or takes too long."""

    name: str
    look: Callable[[], Finding]
    timeout_seconds: float
    worst: CheckStatus = "unhealthy"
    fix: str = ""


def run_checks(checks: Sequence[Check]) -> list[CheckResult]:
    """All results, in the order of the checks, as soon as the slowest has ended or is out of time."""
    answers: SimpleQueue[tuple[str, CheckResult]] = SimpleQueue()
    for check in checks:
        context = contextvars.copy_context()  # Prefect's settings live in it
        arguments = (_report, check, answers)
        threading.Thread(target=context.run, args=arguments, daemon=True).start()
    found = _collect(checks, answers)
    return [found.get(check.name) or _out_of_time(check) for check in checks]


def overall(results: Sequence[CheckResult]) -> CheckStatus:
    """The worst of them."""
    worst = max((RANK.index(result["status"]) for result in results), default=1)
    return RANK[max(worst, 1)]


def _collect(
    checks: Sequence[Check], answers: "SimpleQueue[tuple[str, CheckResult]]"
) -> dict[str, CheckResult]:
    started = time.monotonic()
    deadlines = {check.name: started + check.timeout_seconds for check in checks}
    found: dict[str, CheckResult] = {}
    while waiting := [limit for name, limit in deadlines.items() if name not in found]:
        left = max(waiting) - time.monotonic()
        try:
            name, result = answers.get(timeout=max(left, 0))
        except Empty:
            break
        if time.monotonic() <= deadlines[name]:
            found[name] = result
        else:
            deadlines.pop(name)
    return found


def _report(check: Check, answers: "SimpleQueue[tuple[str, CheckResult]]") -> None:
    started = time.perf_counter()
    try:
        finding = check.look()
    except Exception as error:  # noqa: BLE001  # whatever goes wrong is the result of the check
        message = one_line(str(error) or type(error).__name__)
        finding = Finding(check.worst, message, check.fix)
    answers.put((check.name, _result(check, finding, time.perf_counter() - started)))


def _out_of_time(check: Check) -> CheckResult:
    seconds = check.timeout_seconds
    finding = Finding(check.worst, f"no answer within {seconds:g} s", check.fix)
    return _result(check, finding, seconds)


def _result(check: Check, finding: Finding, seconds: float) -> CheckResult:
    return CheckResult(
        name=check.name,
        status=finding.status,
        milliseconds=round(seconds * 1000, 1),
        message=finding.message,
        fix=finding.fix,
    )
