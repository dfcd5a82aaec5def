"""Reschedule the current flow run: for reports whose data has not arrived yet.

Reads the current flow run; creates one scheduled flow run of the same deployment with the same
parameters, at most one for each time. A flow that was called directly has no deployment and is not
rescheduled.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from prefect import get_client
from prefect.context import FlowRunContext
from prefect.states import Scheduled

from analytics_worker.prefect_support.request_origin import RequestOrigin, request_origin

MIN_DELAY = timedelta(seconds=30)


def reschedule(times: Sequence[datetime], due: datetime) -> str:
    """Schedule another flow run at the first of these times; return a note about it."""
    if not times or FlowRunContext.get() is None:
        return ""
    at = _create_flow_run(min(times), due)
    return "; run it again for waiting reports" if at is None else f"; next run at {at:%H:%M} UTC"


def _create_flow_run(at: datetime, due: datetime) -> datetime | None:
    """Create the flow run; return its time, or None if there is no deployment."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return None
    at = max(at, datetime.now(UTC) + MIN_DELAY)
    origin = request_origin() or RequestOrigin(str(run.id), due)
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(
            run.deployment_id,
            parameters=run.parameters,
            state=Scheduled(scheduled_time=at),
            idempotency_key=f"{origin.flow_run_id}/{at:%Y-%m-%dT%H:%M}",
            labels={**origin.labels()},
        )
    return at
