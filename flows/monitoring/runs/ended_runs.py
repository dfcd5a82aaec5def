"""Read the flow and task runs that ended in a period, with their durations and waits.

Reads the Prefect API, one page at a time and only that period, so that its cost does not depend on the
length of the history. Writes nothing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

from analytics_worker.prefect_support.pagination import LARGEST_PAGE, pages
from analytics_worker.prefect_support.run_filters import runs_ended, task_runs_ended

NO_FLOW = "(no flow)"


@dataclass(frozen=True)
class EndedRun:
    """A run of a flow or task that has ended."""

    kind: Literal["flow", "task"]
    name: str
    state: str
    completed: bool
    retries: int
    ended_at: datetime
    duration_seconds: float
    wait_seconds: float


def ended_runs(client: SyncPrefectClient, since: datetime, until: datetime) -> list[EndedRun]:
    """Return every run of a flow or task that ended in between."""
    read = partial(client.read_flow_runs, flow_run_filter=runs_ended(since, until))
    flow_runs = {run.id: run for run in pages(partial(read, sort=FlowRunSort.ID_DESC))}
    names = _names(client, flow_runs.values())
    ended = [_ended_flow_run(run, names[run.id]) for run in flow_runs.values()]
    return [*ended, *_task_runs(client, since, until, names)]


def _task_runs(
    client: SyncPrefectClient, since: datetime, until: datetime, names: dict[UUID, str]
) -> Iterator[EndedRun]:
    read = partial(client.read_task_runs, task_run_filter=task_runs_ended(since, until))
    task_runs: list[TaskRun] = list(pages(partial(read, sort=TaskRunSort.ID_DESC)))
    # Task runs whose flow runs have not ended yet.
    missing = {run.flow_run_id for run in task_runs if run.flow_run_id} - names.keys()
    names |= _names(client, _flow_runs_by_id(client, sorted(missing)))
    for run in task_runs:
        flow = names.get(run.flow_run_id, NO_FLOW) if run.flow_run_id else NO_FLOW
        yield _ended_task_run(run, flow)


def _flow_runs_by_id(client: SyncPrefectClient, ids: list[UUID]) -> Iterator[FlowRun]:
    for start in range(0, len(ids), LARGEST_PAGE):
        batch = ids[start : start + LARGEST_PAGE]
        criteria = FlowRunFilter.model_validate({"id": {"any_": batch}})
        yield from client.read_flow_runs(flow_run_filter=criteria, sort=FlowRunSort.ID_DESC)


def _names(client: SyncPrefectClient, runs: Iterable[FlowRun]) -> dict[UUID, str]:
    """Return ``<flow>/<deployment>`` by run; only the flow for a run without a deployment."""
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    deployments = deployment_names(client, flows)
    return {
        run.id: deployments.get(run.deployment_id) or flows.get(run.flow_id, NO_FLOW)
        for run in runs
    }


def deployment_names(
    client: SyncPrefectClient, flows: Mapping[UUID, str], ids: Collection[UUID] = ()
) -> dict[UUID | None, str]:
    """Return the full names of the deployments with these ids; of all without ids."""
    chosen = DeploymentFilter.model_validate({"id": {"any_": sorted(ids)}}) if ids else None
    return {
        row.id: f"{flows.get(row.flow_id, NO_FLOW)}/{row.name}"
        for row in pages(partial(client.read_deployments, deployment_filter=chosen))
    }


def _ended_flow_run(run: FlowRun, name: str) -> EndedRun:
    return _ended_run("flow", name, run, retries=max(run.run_count - 1, 0))


def _ended_task_run(run: TaskRun, flow: str) -> EndedRun:
    function = run.task_key.rsplit("-", 1)[0]  # its name in the code; the name of a run may differ
    return _ended_run("task", f"{flow}: {function}", run, retries=max(run.run_count - 1, 0))


def _ended_run(
    kind: Literal["flow", "task"], name: str, run: FlowRun | TaskRun, *, retries: int
) -> EndedRun:
    end: datetime = run.end_time or datetime.now(UTC)  # the filter selects runs that have one
    due, started = run.expected_start_time or end, run.start_time or end
    return EndedRun(
        kind=kind,
        name=name,
        state=run.state_name or "",
        completed=run.state is not None and run.state.is_completed(),
        retries=retries,
        ended_at=end,
        duration_seconds=run.total_run_time.total_seconds(),
        wait_seconds=max(started.timestamp() - due.timestamp(), 0),
    )
