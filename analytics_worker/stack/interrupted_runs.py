"""Runs that the last stop of this stack interrupted: no process works on them any more.

Writes Crashed states. Safe to repeat. Without it such a run would hold its pool's slot forever.
"""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed

MAX_RUNS = 200  # what the API returns at once; the pools' limits allow a tenth of it
IN_FLIGHT = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


def close_interrupted_runs(client: SyncPrefectClient) -> int:
    """Mark them as crashed; how many there were. Call before any worker starts."""
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=IN_FLIGHT))
    runs = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=states), sort=FlowRunSort.ID_DESC, limit=MAX_RUNS
    )
    crashed = Crashed(message="The stack was stopped while this run was under way.")
    for run in runs:
        client.set_flow_run_state(run.id, crashed, force=True)
    return len(runs)
