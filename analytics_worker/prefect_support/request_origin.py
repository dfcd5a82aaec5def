"""Identify the request that the current flow run serves, which an earlier run may have begun.

A run that continues or repeats the request of another one has labels with the first run and its due time.
Reads the current flow run; writes nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from prefect.context import FlowRunContext

FLOW_RUN_LABEL = "request.run"
DUE_LABEL = "request.due"


@dataclass(frozen=True)
class RequestOrigin:
    """The first flow run of a request and when it was due; all later ones belong to it."""

    flow_run_id: str
    due: datetime

    def labels(self) -> dict[str, str]:
        """Return the labels of a later flow run."""
        return {FLOW_RUN_LABEL: self.flow_run_id, DUE_LABEL: self.due.isoformat()}


def request_origin() -> RequestOrigin | None:
    """Return the origin of a flow run that is not the first of its request; None for the first one."""
    context = FlowRunContext.get()
    labels = context.flow_run.labels if context and context.flow_run else {}
    if FLOW_RUN_LABEL not in labels:
        return None
    due = datetime.fromisoformat(str(labels[DUE_LABEL]))
    return RequestOrigin(str(labels[FLOW_RUN_LABEL]), due)
