"""What the pools are doing now: workers, slots, runs that wait.

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
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from analytics_worker.prefect_support.deployments import pools
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import ACTIVE_STATES, runs_due, runs_in_states

LATE = "Late"


class Queue(TypedDict):
    """One pool."""

    limit: int | None
    used: int
    online: int
    waiting: int
    late: int


@dataclass(frozen=True)
class Queues:
    """All pools, and the runs that hold a slot."""

    by_pool: dict[str, Queue]
    in_progress: list[FlowRun]

    @property
    def online(self) -> int:
        """Workers that reported lately; one that serves two pools counts twice."""
        return sum(queue["online"] for queue in self.by_pool.values())

    @property
    def waiting(self) -> int:
        """Runs that are due."""
        return sum(queue["waiting"] for queue in self.by_pool.values())

    @property
    def late(self) -> int:
        """Runs that are overdue."""
        return sum(queue["late"] for queue in self.by_pool.values())


def read_queues(client: SyncPrefectClient) -> Queues:
    """Look at every pool of prefect.yaml."""
    holding = matching(client, runs_in_states(ACTIVE_STATES))
    overdue = matching(client, runs_due(datetime.now(UTC)))
    used = Counter(run.work_pool_name for run in holding)
    waiting = Counter(run.work_pool_name for run in overdue)
    late = Counter(run.work_pool_name for run in overdue if run.state_name == LATE)
    by_pool = {
        pool.name: Queue(
            limit=_limit(client, pool.name),
            used=used[pool.name],
            online=online_workers(client, pool.name),
            waiting=waiting[pool.name],
            late=late[pool.name],
        )
        for pool in pools()
    }
    return Queues(by_pool, holding)


def matching(client: SyncPrefectClient, wanted: FlowRunFilter) -> list[FlowRun]:
    """Every run that the filter admits."""
    read = partial(client.read_flow_runs, flow_run_filter=wanted, sort=FlowRunSort.ID_DESC)
    return list(pages(read))


def online_workers(client: SyncPrefectClient, pool: str) -> int:
    """Workers of a pool whose heartbeat is recent; none for a pool that is not there."""
    try:
        workers = client.read_workers_for_work_pool(pool)
    except PrefectHTTPStatusError as error:
        if error.response.status_code == HTTPStatus.NOT_FOUND:
            return 0
        raise
    return sum(worker.status is WorkerStatus.ONLINE for worker in workers)


def _limit(client: SyncPrefectClient, pool: str) -> int | None:
    try:
        return client.read_work_pool(pool).concurrency_limit
    except ObjectNotFound:
        return None
