"""Another run of the same deployment later: for reports whose data is not there yet.

Reads the flow run that this is part of; creates one scheduled flow run with the same parameters, at
most one for each time. A flow that was called directly has no deployment: nothing follows by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from prefect import get_client
from prefect.context import FlowRunContext
from prefect.states import Scheduled

SOONEST = timedelta(seconds=30)
FLOW_RUN_LABEL = "reports.request"
DUE_LABEL = "reports.due"


@dataclass(frozen=True)
class Origin:
    """The first flow run of a request, which all that follow belong to."""

    flow_run_id: str
    due: datetime


def origin() -> Origin | None:
    """Of a flow run that follows another one; None for the first."""
    context = FlowRunContext.get()
    labels = context.flow_run.labels if context and context.flow_run else {}
    if FLOW_RUN_LABEL not in labels:
        return None
    return Origin(str(labels[FLOW_RUN_LABEL]), datetime.fromisoformat(str(labels[DUE_LABEL])))


def run_again(times: Sequence[datetime], due: datetime) -> str:
    """Have this flow run again at the first of these times; a sentence about it."""
    if not times or FlowRunContext.get() is None:
        return ""
    at = _follow_up(min(times), due)
    return "; run it again for what waits" if at is None else f"; again at {at:%H:%M} UTC"


def _follow_up(at: datetime, due: datetime) -> datetime | None:
    """See to it that this flow runs again; when, or None if nobody can."""
    context = FlowRunContext.get()
    run = context.flow_run if context else None
    if run is None or run.deployment_id is None:
        return None
    at = max(at, datetime.now(UTC) + SOONEST)
    first = origin() or Origin(str(run.id), due)
    with get_client(sync_client=True) as client:
        client.create_flow_run_from_deployment(
            run.deployment_id,
            parameters=run.parameters,
            state=Scheduled(scheduled_time=at),
            idempotency_key=f"{first.flow_run_id}/{at:%Y-%m-%dT%H:%M}",
            labels={FLOW_RUN_LABEL: first.flow_run_id, DUE_LABEL: first.due.isoformat()},
        )
    return at
