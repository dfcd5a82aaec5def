"""Measure what a run does: add timings up in memory and emit them once per task run and per flow run.

Reads nothing. At the end of a `measured` scope, it emits one Prefect event, ``analytics.task.timings``,
if something was timed in it. The exporter adds the events up. No error of a measurement fails a run,
and outside a scope nothing is recorded. ::

    with timed(QUERY, "copy"): ...
"""

import functools
import logging
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ParamSpec, TypeVar

from analytics_worker.send_result import SendResult

P = ParamSpec("P")
R = TypeVar("R")

EVENT = "analytics.task.timings"
FORMAT = 1
BUCKETS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)

CONNECT = "db_connect_duration_seconds"
QUERY = "db_query_duration_seconds"
REQUEST = "external_request_duration_seconds"
ERRORS = "db_errors_total"

# The first words of statements; a comment or a bracket may precede them.
OPERATIONS = frozenset(
    [
        "select",
        "insert",
        "update",
        "delete",
        "merge",
        "with",
        "copy",
        "refresh",
        "analyze",
        "vacuum",
        "create",
        "alter",
        "drop",
        "truncate",
        "grant",
        "revoke",
        "set",
        "begin",
        "commit",
        "call",
        "do",
        "lock",
        "fetch",
    ]
)
_PREFIX_LENGTH = 200

logger = logging.getLogger(__name__)


class Timings:
    """Histograms and counts by metric and labels. Threads of a run may share one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._histograms: dict[tuple[str, *tuple[str, ...]], list[float]] = {}
        self._counts: dict[tuple[str, *tuple[str, ...]], int] = {}

    def observe(self, seconds: float, metric: str, *labels: str) -> None:
        """Add one duration; the last number of a histogram is the sum."""
        bucket = bisect_left(BUCKETS, seconds)
        with self._lock:
            row = self._histograms.setdefault((metric, *labels), [0] * (len(BUCKETS) + 2))
            row[bucket] += 1
            row[-1] += seconds

    def count(self, metric: str, *labels: str) -> None:
        """Add one."""
        with self._lock:
            series = (metric, *labels)
            self._counts[series] = self._counts.get(series, 0) + 1

    def payload(self) -> dict[str, Any] | None:
        """Return the payload of the event; None if nothing was timed."""
        with self._lock:
            if not self._histograms and not self._counts:
                return None
            histograms = [
                {"metric": name, "labels": labels, "counts": row[:-1], "sum": round(row[-1], 6)}
                for (name, *labels), row in self._histograms.items()
            ]
            counts = [
                {"metric": name, "labels": labels, "value": value}
                for (name, *labels), value in self._counts.items()
            ]
        return {"format": FORMAT, "histograms": histograms, "counts": counts}


_current: ContextVar[Timings | None] = ContextVar("timings", default=None)


def measured(function: Callable[P, R]) -> Callable[P, R]:
    """Collect the timings of each call, apart from nested measured calls, and emit them at its end."""

    @functools.wraps(function)
    def scope(*args: P.args, **kwargs: P.kwargs) -> R:
        timings = Timings()
        token = _current.set(timings)
        try:
            return function(*args, **kwargs)
        finally:
            _current.reset(token)
            _publish(timings)

    return scope


def observe(seconds: float, metric: str, *labels: str) -> None:
    """Add a duration to the current scope, if there is one."""
    timings = _current.get()
    if timings is not None:
        timings.observe(seconds, metric, *labels)


def count(metric: str, *labels: str) -> None:
    """Add one to the current scope, if there is one."""
    timings = _current.get()
    if timings is not None:
        timings.count(metric, *labels)


@contextmanager
def timed(metric: str, *labels: str) -> Generator[None]:
    """Time a block, however it ends."""
    started = time.perf_counter()
    try:
        yield
    finally:
        observe(time.perf_counter() - started, metric, *labels)


def timed_request(
    service: str,
) -> Callable[[Callable[P, SendResult]], Callable[P, SendResult]]:
    """Time a function that sends a request to an external service and returns the result."""

    def decorate(function: Callable[P, SendResult]) -> Callable[P, SendResult]:
        @functools.wraps(function)
        def request(*args: P.args, **kwargs: P.kwargs) -> SendResult:
            started = time.perf_counter()
            result = function(*args, **kwargs)
            observe(time.perf_counter() - started, REQUEST, service, result.status)
            return result

        return request

    return decorate


def operation(statement: str) -> str:
    """Return the label of a statement: its first word, or ``other``."""
    lines = (
        line.partition("--")[0].strip(" \t(;") for line in statement[:_PREFIX_LENGTH].splitlines()
    )
    first_words = next((line for line in lines if line), "").lower().split(maxsplit=1)
    return first_words[0] if first_words and first_words[0] in OPERATIONS else "other"


def _publish(timings: Timings) -> None:
    try:
        payload = timings.payload()
        if payload is not None:
            _emit(payload)
    except Exception:  # a run never fails because of its measurements
        logger.debug("timings could not be emitted", exc_info=True)


def _emit(payload: dict[str, Any]) -> None:
    from prefect.context import FlowRunContext, TaskRunContext  # noqa: PLC0415  # the exporter needs only the names above
    from prefect.events import emit_event  # noqa: PLC0415

    task, flow = TaskRunContext.get(), FlowRunContext.get()
    if task is not None:
        resource = f"analytics.task-run.{task.task_run.id}"
    elif flow is not None and flow.flow_run is not None:
        resource = f"analytics.flow-run.{flow.flow_run.id}"
    else:
        return  # called outside Prefect: there is no run to emit it for
    emit_event(EVENT, resource={"prefect.resource.id": resource}, payload=payload)
