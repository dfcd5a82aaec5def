"""Read which deployments have a run in progress. Reads the Prefect API; writes nothing."""

from datetime import datetime

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import StateType

from analytics_worker.prefect_support.pagination import pages
from analytics_worker.prefect_support.run_filters import runs_in_states
from flows.monitoring.measurements.work_pools import read_flow_runs
from flows.monitoring.runs.ended_runs import deployment_names


def runs_in_progress(client: SyncPrefectClient) -> dict[str, datetime]:
    """Return when the runs in progress began, by deployment; of several, the first."""
    flows = {flow.id: flow.name for flow in pages(client.read_flows)}
    names = deployment_names(client, flows)
    began: dict[str, datetime] = {}
    for run in read_flow_runs(client, runs_in_states([StateType.RUNNING])):
        name = names.get(run.deployment_id)
        if name and run.start_time:
            began[name] = min(run.start_time, began.get(name, run.start_time))
    return began
