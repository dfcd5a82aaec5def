"""Measure the work pools: online workers, used slots, waiting runs.

Reads the Prefect API; writes nothing.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import TypedDict

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, WorkerStatus
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import PrefectHTTPStatusError

from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import ACTIVE_STATES, runs_due, runs_in_states

LATE_STATE = "Late"


class PoolStatus(TypedDict):
    """The status of one work pool."""

    limit: int | None
    used: int
    online: int
    waiting: int
    late: int


@dataclass(frozen=True)
class PoolStatuses:
    """The status of all work pools, and the runs that hold a slot."""

    by_pool: dict[str, PoolStatus]
    in_progress: list[FlowRun]

    @property
    def online(self) -> int:
        """Return the number of online workers; one that serves two pools counts twice."""
        return sum(pool["online"] for pool in self.by_pool.values())

    @property
    def waiting(self) -> int:
        """Return the number of runs that are due and wait for a slot."""
        return sum(pool["waiting"] for pool in self.by_pool.values())

    @property
    def late(self) -> int:
        """Return the number of runs that are late."""
        return sum(pool["late"] for pool in self.by_pool.values())


def read_pools(client: SyncPrefectClient) -> PoolStatuses:
    """Read the status of every work pool of prefect.yaml."""
    active = read_flow_runs(client, runs_in_states(ACTIVE_STATES))
    due = read_flow_runs(client, runs_due(datetime.now(UTC)))
    used = Counter(run.work_pool_name for run in active)
    waiting = Counter(run.work_pool_name for run in due)
    late = Counter(run.work_pool_name for run in due if run.state_name == LATE_STATE)
    limits = {pool.name: pool.concurrency_limit for pool in pages(client.read_work_pools)}
    by_pool = {
        pool.name: PoolStatus(
            limit=limits.get(pool.name),
            used=used[pool.name],
            online=online_workers(client, pool.name),
            waiting=waiting[pool.name],
            late=late[pool.name],
        )
        for pool in pools()
    }
    return PoolStatuses(by_pool, active)


def read_flow_runs(client: SyncPrefectClient, criteria: FlowRunFilter) -> list[FlowRun]:
    """Return every run that matches the filter."""
    read = partial(client.read_flow_runs, flow_run_filter=criteria, sort=FlowRunSort.ID_DESC)
    return list(pages(read))


def online_workers(client: SyncPrefectClient, pool: str) -> int:
    """Return the number of online workers of a pool; 0 if the pool does not exist."""
    try:
        workers = client.read_workers_for_work_pool(pool)
    except PrefectHTTPStatusError as error:
        if error.response.status_code == HTTPStatus.NOT_FOUND:
            return 0
        raise
    return sum(worker.status is WorkerStatus.ONLINE for worker in workers)
