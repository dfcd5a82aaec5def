"""Define the retry policy of each kind of task: ``@task(**REFRESH)``.

Delays double, are spread by jitter, and never exceed their cap. Retries belong to tasks, because only
tasks have a retry condition.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypedDict

from prefect import Task
from prefect.cache_policies import NO_CACHE, CachePolicy
from prefect.client.schemas.objects import State, TaskRun

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.errors import chain, is_permanent

JITTER = 0.5


class TaskPolicy(TypedDict):
    """The keyword arguments of all tasks of one kind."""

    retries: int
    retry_delay_seconds: Callable[[int], list[float]]
    retry_jitter_factor: float
    retry_condition_fn: Callable[[Task[..., Any], TaskRun, State[Any]], Awaitable[bool]]
    cache_policy: CachePolicy
    persist_result: bool


def capped_backoff(
    *, base_seconds: float, cap_seconds: float, jitter: float
) -> Callable[[int], list[float]]:
    """Return doubling delays in seconds; the cap includes the jitter that Prefect adds to each."""
    ceiling = cap_seconds / (1 + jitter)
    return lambda retries: [
        min(ceiling, base_seconds * 2 ** min(attempt, 64)) for attempt in range(retries)
    ]


async def should_retry(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether to retry: neither after a permanent error nor while a circuit breaker is open."""
    error = await state.aresult(raise_on_failure=False)
    if not isinstance(error, BaseException):
        return True
    is_open = any(isinstance(link, CircuitOpenError) for link in chain(error))
    return not is_open and not is_permanent(error)


def policy(*, retries: int, base_seconds: float = 2, cap_seconds: float = 300) -> TaskPolicy:
    """Return a policy of ``retries`` attempts after the first one, at most ``cap_seconds`` apart."""
    return TaskPolicy(
        retries=retries,
        retry_delay_seconds=capped_backoff(
            base_seconds=base_seconds, cap_seconds=cap_seconds, jitter=JITTER
        ),
        retry_jitter_factor=JITTER,
        retry_condition_fn=should_retry,
        cache_policy=NO_CACHE,
        persist_result=False,  # only results of flows are persisted
    )


# The delays of a task add up to more than a minute without the database (a restart, a failover), even
# if jitter shortens each by a third.
CATALOG = policy(retries=3, base_seconds=15, cap_seconds=300)
REFRESH = policy(retries=3, base_seconds=15, cap_seconds=600)
STATISTICS = policy(retries=2, base_seconds=35)
CLEANUP = policy(retries=0)
DBT_RUN = policy(retries=2, base_seconds=35, cap_seconds=600)
DBT_OPERATION = policy(retries=0)  # a macro need not be safe to repeat
DBT_TEST = policy(retries=2, base_seconds=35)
DBT_DOCS = policy(retries=1, base_seconds=100)
DBT_FRESHNESS = policy(retries=1, base_seconds=100)
ALERTS = policy(retries=3)
THRESHOLDS = policy(retries=2)
ALERT_EVENT = policy(retries=2)
THRESHOLD_EVENT = policy(retries=0)
SCHEDULED_REPORTS = policy(retries=2, base_seconds=20, cap_seconds=120)
SINGLE_REPORT = policy(retries=2, base_seconds=10)
AD_HOC_REPORT = policy(retries=0)
REPORT_CLEANUP = policy(retries=1)
HISTORY = policy(retries=0)
MONITORING = policy(retries=0)
