"""Flow and task runs that ended in a span of time, as numbers that can be counted.

Reads the Prefect API, a page at a time and only that span, so that its cost does not follow the
length of the history; writes nothing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Literal
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, TaskRun
from prefect.client.schemas.sorting import FlowRunSort, TaskRunSort

from analytics_worker.prefect_support.pagination import LARGEST_PAGE, pages
from analytics_worker.prefect_support.run_filters import runs_ended, task_runs_ended

NO_FLOW = "(no flow)"


@dataclass(frozen=True)
class EndedRun:
    """One run of a flow or a task."""

    kind: Literal["flow", "task"]
    name: str
    state: str
    completed: bool
    retries: int
    ended_at: datetime
    duration_seconds: float
    wait_seconds: float


def ended_runs(client: SyncPrefectClient, since: datetime, until: datetime) -> list[EndedRun]:
    """Every run that ended in between, flows and tasks."""
    read = partial(client.read_flow_runs, flow_run_filter=runs_ended(since, until))
    flow_runs = {run.id: run for run in pages(partial(read, sort=FlowRunSort.ID_DESC))}
    names = _names(client, flow_runs.values())
    found = [_of_flow(run, names[run.id]) for run in flow_runs.values()]
    return [*found, *_task_runs(client, since, until, names)]


def _task_runs(
    client: SyncPrefectClient, since: datetime, until: datetime, names: dict[UUID, str]
) -> Iterator[EndedRun]:
    read = partial(client.read_task_runs, task_run_filter=task_runs_ended(since, until))
    task_runs: list[TaskRun] = list(pages(partial(read, sort=TaskRunSort.ID_DESC)))
    # Tasks of runs that have not ended yet.
    missing = {run.flow_run_id for run in task_runs if run.flow_run_id} - names.keys()
    names |= _names(client, _by_id(client, sorted(missing)))
    for run in task_runs:
        flow = names.get(run.flow_run_id, NO_FLOW) if run.flow_run_id else NO_FLOW
        yield _of_task(run, flow)


def _by_id(client: SyncPrefectClient, ids: list[UUID]) -> Iterator[FlowRun]:
    for start in range(0, len(ids), LARGEST_PAGE):
        some = ids[start : start + LARGEST_PAGE]
        wanted = FlowRunFilter.model_validate({"id": {"any_": some}})
        yield from client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.ID_DESC)


def _names(client: SyncPrefectClient, runs: Iterable[FlowRun]) -> dict[UUID, str]:
    """``<flow>/<deployment>`` by run; the flow alone for a run without a deployment."""
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    deployments = deployment_names(client, flows)
    return {
        run.id: deployments.get(run.deployment_id) or flows.get(run.flow_id, NO_FLOW)
        for run in runs
    }


def deployment_names(
    client: SyncPrefectClient, flows: Mapping[UUID, str]
) -> dict[UUID | None, str]:
    """Full names of the deployments that there are."""
    return {
        row.id: f"{flows.get(row.flow_id, NO_FLOW)}/{row.name}"
        for row in pages(client.read_deployments)
    }


def _of_flow(run: FlowRun, name: str) -> EndedRun:
    return _measured("flow", name, run, retries=max(run.run_count - 1, 0))


def _of_task(run: TaskRun, flow: str) -> EndedRun:
    function = run.task_key.rsplit("-", 1)[0]  # its name in the code; runs may have others
    return _measured("task", f"{flow}: {function}", run, retries=max(run.run_count - 1, 0))


def _measured(
    kind: Literal["flow", "task"], name: str, run: FlowRun | TaskRun, *, retries: int
) -> EndedRun:
    end: datetime = run.end_time or datetime.now(UTC)  # the filter asked for those that have one
    due, began = run.expected_start_time or end, run.start_time or end
    return EndedRun(
        kind=kind,
        name=name,
        state=run.state_name or "",
        completed=run.state is not None and run.state.is_completed(),
        retries=retries,
        ended_at=end,
        duration_seconds=run.total_run_time.total_seconds(),
        wait_seconds=max(began.timestamp() - due.timestamp(), 0),
    )
