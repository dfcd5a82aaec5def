"""Runs that the last stop of this stack interrupted: no process works on them any more.

Reads the lock files of the workers; writes Crashed states. Runs of other hosts' workers, which may have
outlived the stop, are not touched. Safe to repeat. Without it such a run would hold its pool's slot.
"""

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.settings import get_current_settings
from prefect.states import Crashed

from analytics_worker.settings import settings
from analytics_worker.worker.worker_identity import WORKER_LABEL, Claimant, claimant_in

MAX_RUNS = 200  # what the API returns at once; the pools' limits allow a tenth of it
IN_FLIGHT = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]


def close_interrupted_runs(client: SyncPrefectClient) -> int:
    """Mark them as crashed; how many there were. Call before any worker starts."""
    states = FlowRunFilterState(type=FlowRunFilterStateType(any_=IN_FLIGHT))
    runs = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(state=states), sort=FlowRunSort.ID_DESC, limit=MAX_RUNS
    )
    interrupted = [run for run in runs if _was_ours(run)]
    crashed = Crashed(message="The stack was stopped while this run was under way.")
    for run in interrupted:
        client.set_flow_run_state(run.id, crashed, force=True)
    return len(interrupted)


def _was_ours(run: FlowRun) -> bool:
    """Whether a worker of this state folder had claimed it, and has ended.

    After a reboot that is sure only where no other host has a server on the same database.
    """
    claimant = claimant_in(settings().state_dir / "worker", str(run.labels.get(WORKER_LABEL, "")))
    url = get_current_settings().server.database.connection_url
    is_own_database = url is None or url.get_secret_value().startswith("sqlite")
    return claimant is Claimant.ENDED or (claimant is Claimant.FORMER and is_own_database)
