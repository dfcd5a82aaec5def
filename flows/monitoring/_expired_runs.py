"""What the Prefect server keeps beyond its time: ended runs, workers that are gone, old deployments.

Reads and deletes through the Prefect API, and only what belongs to the pools of prefect.yaml: other
projects may share the server. Safe to repeat: what is gone is gone. Logs and task runs go with their
run, by the server; its own vacuum deletes events, and what it finds orphaned.
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
from flows.monitoring._ended_runs import deployment_names

OURS = "flows."  # what the entrypoints of our deployments begin with


class ExpiredRuns(NamedTuple):
    """Ended runs, and what goes with them."""

    runs: int = 0
    artifacts: int = 0
    logs: int = 0

    def plus(self, other: "ExpiredRuns") -> "ExpiredRuns":
        """Both together."""
        return ExpiredRuns(*(a + b for a, b in zip(self, other, strict=True)))


def count_expired_runs(client: SyncPrefectClient, before: datetime, most: int) -> ExpiredRuns:
    """What `delete_expired_runs` would delete of the ended runs of our pools that are too old."""
    found = ExpiredRuns()
    while found.runs < most and (batch := _expired(client, before, found.runs)):
        found = found.plus(
            ExpiredRuns(len(batch), len(_artifacts(client, batch)), _logs(client, batch))
        )
    return found


def delete_expired_runs(client: SyncPrefectClient, before: datetime) -> ExpiredRuns:
    """Delete one batch of them with what goes with it; how much that was."""
    batch = _expired(client, before)
    artifacts, logs = _artifacts(client, batch), _logs(client, batch)
    for artifact in artifacts:
        with suppress(ObjectNotFound):
            client.delete_artifact(artifact.id)
    for run in batch:
        with suppress(ObjectNotFound):  # the vacuum was faster
            client.delete_flow_run(run.id)
    return ExpiredRuns(len(batch), len(artifacts), logs)


def stale_workers(client: SyncPrefectClient, before: datetime) -> Iterator[tuple[str, Worker]]:
    """Workers of our pools that have been silent since then, with their pool."""
    for pool in pools():
        try:
            workers = client.read_workers_for_work_pool(pool.name, limit=LARGEST_PAGE)
        except PrefectHTTPStatusError:
            continue  # not deployed
        for worker in workers:
            seen = worker.last_heartbeat_time
            if seen is None or seen < before:
                yield pool.name, worker


def delete_worker(client: SyncPrefectClient, pool: str, worker: Worker) -> None:
    """Forget a worker; one that comes back introduces itself again."""
    places = {"work_pool_name": pool, "name": worker.name}
    path = "/work_pools/{work_pool_name}/workers/{name}"
    client.request("DELETE", path, path_params=places)


def gone_deployments(client: SyncPrefectClient) -> dict[str, DeploymentResponse]:
    """Deployments of our flows that prefect.yaml does not have any more, by name."""
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    names = deployment_names(client, flows)
    wanted = {str(entry) for entry in deployed_flows()}
    ours = {pool.name for pool in pools()}
    return {
        names[row.id]: row
        for row in pages(client.read_deployments)
        if names[row.id] not in wanted
        and (row.entrypoint or "").startswith(OURS)
        and row.work_pool_name in ours
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
    wanted = ArtifactFilter.model_validate({"flow_run_id": {"any_": [run.id for run in batch]}})
    return list(pages(partial(client.read_artifacts, artifact_filter=wanted)))


def _logs(client: SyncPrefectClient, batch: list[FlowRun]) -> int:
    """Lines that the runs logged: the API has no number of them, so they are read."""
    if not batch:
        return 0
    wanted = LogFilter.model_validate({"flow_run_id": {"any_": [run.id for run in batch]}})
    return sum(1 for _ in pages(partial(client.read_logs, log_filter=wanted)))
