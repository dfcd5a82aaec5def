"""Define what is known of a lost run and its request: a row of ``ops.lost_requests``."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class LostRequest:
    """A request whose last run was lost.

    Attributes:
        run_id: That run.
        request_id: The first run of the request.
        deployment: Full name of the deployment.
        requested_at: When the first run was due.
        state: Name of the state in which the last run ended.
        message: Message of that state; untrusted.
        reruns: How many runs of the request were lost before it.
    """

    run_id: UUID
    request_id: UUID
    deployment: str
    requested_at: datetime
    state: str
    message: str
    reruns: int
