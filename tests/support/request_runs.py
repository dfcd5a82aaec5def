"""Run a flow in this process as the first run of a request, or as one that repeats a lost run."""

from datetime import datetime
from typing import Any
from uuid import UUID

from prefect import get_client
from prefect.client.schemas.objects import State
from prefect.flow_engine import run_flow

from analytics_worker.prefect_support.flow import WorkerFlow
from analytics_worker.prefect_support.request_origin import RequestOrigin


def run_request(
    flow: WorkerFlow[..., Any],
    parameters: dict[str, Any],
    *,
    repeats: tuple[UUID, datetime] | None = None,
) -> tuple[UUID, State[Any]]:
    """Return the id and the final state of the run.

    Args:
        flow: The flow.
        parameters: Its parameters.
        repeats: The first run of the request, and when that was due.
    """
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(flow, parameters=parameters)
        if repeats:
            origin = RequestOrigin(str(repeats[0]), repeats[1])
            client.update_flow_run_labels(run.id, {**origin.labels()})
        run = client.read_flow_run(run.id)
    state: Any = run_flow(flow, flow_run=run, parameters=parameters, return_type="state")
    return run.id, state
