"""Delete expired objects of the Prefect server: ended runs, offline workers, removed deployments.

Reads and deletes through the Prefect API, and only objects of the work pools of prefect.yaml: other projects
may share the server. Safe to repeat: missing objects are skipped. The server deletes logs and task runs with
their run; its vacuum deletes events and orphaned objects.
"""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import NamedTuple

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, LogFilter, WorkPoolFilter
from prefect.client.schemas.objects import Artifact, FlowRun, Worker
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

from analytics_worker.prefect_support.deployments import deployed_flows, pools
from analytics_worker.prefect_support.pagination import LARGEST_PAGE, pages
from analytics_worker.prefect_support.run_filters import FINAL_STATES, runs_in_states
from flows.monitoring.runs.ended_runs import deployment_names

ENTRYPOINT_PREFIX = "flows."  # of the deployments of this project


class ExpiredRuns(NamedTuple):
    """Numbers of ended runs, and of their artifacts and log records."""

    runs: int = 0
    artifacts: int = 0
    logs: int = 0

    def plus(self, other: "ExpiredRuns") -> "ExpiredRuns":
        """Return the sums of both."""
        return ExpiredRuns(*(a + b for a, b in zip(self, other, strict=True)))


def count_expired_runs(client: SyncPrefectClient, before: datetime, limit: int) -> ExpiredRuns:
    """Count what `delete_expired_runs` would delete, up to a limit of runs."""
    total = ExpiredRuns()
    while total.runs < limit and (batch := _expired(client, before, total.runs)):
        total = total.plus(
            ExpiredRuns(len(batch), len(_artifacts(client, batch)), _logs(client, batch))
        )
    return total


def delete_expired_runs(client: SyncPrefectClient, before: datetime) -> ExpiredRuns:
    """Delete one batch of ended runs with their artifacts and logs; return how many."""
    batch = _expired(client, before)
    artifacts, logs = _artifacts(client, batch), _logs(client, batch)
    for artifact in artifacts:
        with suppress(ObjectNotFound):
            client.delete_artifact(artifact.id)
    for run in batch:
        with suppress(ObjectNotFound):  # deleted by the vacuum meanwhile
            client.delete_flow_run(run.id)
    return ExpiredRuns(len(batch), len(artifacts), logs)


def stale_workers(client: SyncPrefectClient, before: datetime) -> Iterator[tuple[str, Worker]]:
    """Yield workers of our work pools without a heartbeat since then, each with its pool."""
    for pool in pools():
        try:
            workers = client.read_workers_for_work_pool(pool.name, limit=LARGEST_PAGE)
        except PrefectHTTPStatusError:
            continue  # not deployed
        for worker in workers:
            heartbeat = worker.last_heartbeat_time
            if heartbeat is None or heartbeat < before:
                yield pool.name, worker


def delete_worker(client: SyncPrefectClient, pool: str, worker: Worker) -> None:
    """Delete a worker; it registers again if it starts again."""
    path_params = {"work_pool_name": pool, "name": worker.name}
    path = "/work_pools/{work_pool_name}/workers/{name}"
    client.request("DELETE", path, path_params=path_params)


def removed_deployments(client: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    """Return deployments of our flows that were removed from prefect.yaml, by name."""
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    names = deployment_names(client, flows)
    current = {str(each) for each in deployed_flows()}
    our_pools = {pool.name for pool in pools()}
    return {
        names[row.id]: row
        for row in pages(client.read_deployments)
        if names[row.id] not in current
        and (row.entrypoint or "").startswith(ENTRYPOINT_PREFIX)
        and row.work_pool_name in our_pools
    }


def _our_pools() -> WorkPoolFilter:
    return WorkPoolFilter.model_validate({"name": {"any_": [pool.name for pool in pools()]}})


def _expired(client: SyncPrefectClient, before: datetime, offset: int = 0) -> list[FlowRun]:
    return client.read_flow_runs(
        flow_run_filter=runs_in_states(FINAL_STATES, end_time={"before_": before}),
        work_pool_filter=_our_pools(),
        sort=FlowRunSort.ID_DESC,
        limit=LARGEST_PAGE,
        offset=offset,
    )


def _artifacts(client: SyncPrefectClient, batch: list[FlowRun]) -> list[Artifact]:
    if not batch:
        return []
    criteria = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run.id for run in batch]}})
    return list(pages(partial(client.read_artifacts, artifact_filter=criteria)))


def _logs(client: SyncPrefectClient, batch: list[FlowRun]) -> int:
    """Count the log records of the runs by reading them: the API does not provide the count."""
    if not batch:
        return 0
    criteria = LogFilter.model_validate({"flow_run_id": {"any_": [run.id for run in batch]}})
    return sum(1 for _ in pages(partial(client.read_logs, log_filter=criteria)))
