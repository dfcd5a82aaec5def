"""The state of the running stack as three tables: components, pools, deployments.

For another API without the components. Reads the stack's record, the processes and the Prefect API; writes to the terminal only.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound
from rich.markup import escape

from analytics_worker.prefect_support.api_client import api_client
from analytics_worker.prefect_support.deployments import DeployedFlow, deployed_flows, pools
from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.results import MAX_MESSAGE_LENGTH
from analytics_worker.prefect_support.stopped_work import (
    Stopped,
    missing_pool,
    stopped_by,
    stopped_deployments,
)
from analytics_worker.stack.state_dir import Component, StackRecord
from analytics_worker.stack.terminal import Terminal, plain
from analytics_worker.stack_address import without_login
from analytics_worker.text import one_line

STARTED = [state for state in StateType if state is not StateType.SCHEDULED]
SCHEDULER_PERIOD = timedelta(minutes=2)
"""Within it, the server has scheduled the runs of a new deployment."""
NOTHING_SCHEDULED = "[bold red]nothing scheduled[/]"
SLOTS = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


def show(record: StackRecord | None) -> bool:
    """Print the tables, without components if there is no record; whether everything that should run does."""
    terminal = Terminal()
    up = _show_components(terminal, record) if record else True
    with api_client() as client:
        if not record:
            url = without_login(str(client.api_url))
            terminal.console.print(f"Prefect API {plain(url)}", soft_wrap=True)
        found = [_pool(client, pool.name) for pool in pools()]
        columns = ("pool", "workers online", "slots used", "limit")
        terminal.table("\nPools", columns, (row for row, _ in found))
        _show_stopped_pools(terminal, client)
        columns = ("deployment", "last run (UTC)", "state", "message", "next run (UTC)")
        rows = [_deployment(client, entry) for entry in deployed_flows()]
        terminal.table("\nDeployments", columns, rows, long="message", named="deployment")
        _show_stopped_deployments(terminal, client)
    is_scheduled = not any(row[-1] == NOTHING_SCHEDULED for row in rows)
    return up and is_scheduled and all(online for _, online in found)


def _show_components(terminal: Terminal, record: StackRecord) -> bool:
    up = [component.is_running() and component.ready for component in record.components]
    what = "Stack" if record.components else "Server"  # of `analytics-worker server`
    terminal.console.print(f"{what} of process {record.pid}, {record.api_url}", soft_wrap=True)
    if not record.components:
        return True
    terminal.table(
        "\nComponents",
        ("component", "state", "pid", "since (UTC)", "restarts"),
        (_component(component) for component in record.components),
    )
    return all(up)


def _component(component: Component) -> Sequence[str]:
    if not component.is_running():
        state = "[bold red]down[/]"
    else:
        state = "[green]ready[/]" if component.ready else "[yellow]starting[/]"
    since = component.since and datetime.fromisoformat(component.since)
    pid = str(component.pid or "")
    return component.name, state, pid, _when(since or None), str(component.restarts)


def _pool(client: SyncPrefectClient, name: str) -> tuple[Sequence[str], bool]:
    try:
        pool = client.read_work_pool(name)
    except ObjectNotFound:
        return (name, "[bold red]not deployed[/]", "", ""), False
    workers = client.read_workers_for_work_pool(name)
    online = sum(worker.status is WorkerStatus.ONLINE for worker in workers)
    style = "green" if online else "bold red"
    row = (name, f"[{style}]{online}[/]", str(_slots(client, pool)), str(pool.concurrency_limit))
    return row, online > 0


def _show_stopped_pools(terminal: Terminal, client: SyncPrefectClient) -> None:
    existing = {pool.name: pool for pool in pages(client.read_work_pools)}
    for pool in pools():
        if found := existing.get(pool.name):
            _show_stopped(terminal, stopped_by(client, found))
        else:
            _show_stopped(terminal, [missing_pool(pool.name, existing)])


def _show_stopped_deployments(terminal: Terminal, client: SyncPrefectClient) -> None:
    wanted = (entry.deployment for entry in deployed_flows())
    _show_stopped(terminal, stopped_deployments(wanted, pages(client.read_deployments)))


def _show_stopped(terminal: Terminal, found: Iterable[Stopped]) -> None:
    for stopped in found:
        terminal.console.print(f"[bold red]{plain(str(stopped))}[/]", soft_wrap=True)


def _slots(client: SyncPrefectClient, pool: WorkPool) -> int:
    runs = client.read_flow_runs(
        work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=[pool.name])),
        flow_run_filter=_states(SLOTS),
        sort=FlowRunSort.ID_DESC,
        limit=200,
    )
    return len(runs)


def _deployment(client: SyncPrefectClient, entry: DeployedFlow) -> Sequence[str]:
    name = str(entry)
    try:
        deployment = client.read_deployment_by_name(name)
    except ObjectNotFound:
        return name, "", "[bold red]not deployed[/]", "", ""
    last = _run(client, deployment.id, STARTED, FlowRunSort.START_TIME_DESC)
    following = _run(
        client, deployment.id, [StateType.SCHEDULED], FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC
    )
    following_time = following.next_scheduled_start_time if following else None
    planned = _when(following_time) or without_runs(entry, deployment)
    if last is None or last.state is None:
        return name, "never", "", "", planned
    style = (
        "green" if last.state.is_completed() else "bold red" if last.state.is_final() else "cyan"
    )
    state = f"[{style}]{escape(one_line(last.state.name or ''))}[/]"
    return (
        name,
        _when(last.start_time),
        state,
        escape(one_line(last.state.message or "", MAX_MESSAGE_LENGTH)),
        planned,
    )


def without_runs(entry: DeployedFlow, deployment: DeploymentResponse) -> str:
    """Return why nothing is scheduled."""
    if deployment.paused:
        return "paused"
    if not any(schedule.active for schedule in deployment.schedules):
        return "event" if entry.deployment.triggers else "manual"
    created = deployment.created or datetime.now(UTC)
    is_new = datetime.now(UTC) - created < SCHEDULER_PERIOD
    return "not yet scheduled" if is_new else NOTHING_SCHEDULED


def _run(
    client: SyncPrefectClient, deployment: UUID, states: list[StateType], sort: FlowRunSort
) -> FlowRun | None:
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=_states(states),
        sort=sort,
        limit=1,
    )
    return runs[0] if runs else None


def _states(states: list[StateType]) -> FlowRunFilter:
    return FlowRunFilter(state=FlowRunFilterState(type=FlowRunFilterStateType(any_=states)))


def _when(instant: Any, otherwise: str = "") -> str:
    """Time of day for today, else month and day as well."""
    if instant is None:
        return otherwise
    same_day = instant.astimezone(UTC).date() == datetime.now(UTC).date()
    return instant.astimezone(UTC).strftime("%H:%M:%S" if same_day else "%m-%d %H:%M")
