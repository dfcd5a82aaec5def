"""Define the interval and timeout of heartbeats, and the automations that depend on them.

Every run of a deployment in prefect.yaml sends heartbeats, whichever worker starts it. One automation of
the server crashes runs without heartbeats. Another one notifies when the monitoring flow stops succeeding.
"""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from prefect.client.schemas.objects import FlowRun

HEARTBEAT_SECONDS = 30  # the shortest that Prefect allows
FIRST_HEARTBEAT_SECONDS = 5.0
"""After the start of a run: one that ends sooner sends none."""
MISSED_HEARTBEATS = 3
HEARTBEAT_TIMEOUT = timedelta(seconds=HEARTBEAT_SECONDS * MISSED_HEARTBEATS)

HEARTBEAT_EVENT = "prefect.flow-run.heartbeat"
START_EVENTS = ("prefect.flow-run.Running", "prefect.flow-run.Retrying")
"""Of the server: a run whose host is lost before its first heartbeat is missed from here."""
HEARTBEAT_VARIABLE = "PREFECT_FLOWS_HEARTBEAT_FREQUENCY"
HEARTBEAT_AUTOMATION = "analytics-worker: crash runs that fell silent"
CRASH_MESSAGE = f"No heartbeat for {HEARTBEAT_SECONDS * MISSED_HEARTBEATS} s: the run's process has ended or its host is unavailable."

MONITORING_AUTOMATION = "analytics-worker: tell that monitoring fails"
MONITORING_TIMEOUT = timedelta(minutes=10)  # of a flow that should succeed every minute


def heartbeat_event(run: FlowRun) -> dict[str, object]:
    """Return the event that a run sends to the server as a heartbeat."""
    related = [("flow", "flow", run.flow_id), ("deployment", "deployment", run.deployment_id)]
    return {
        "id": str(uuid4()),
        "event": HEARTBEAT_EVENT,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {
            "prefect.resource.id": f"prefect.flow-run.{run.id}",
            "prefect.resource.name": run.name,
        },
        "related": [
            {"prefect.resource.id": f"prefect.{kind}.{id_}", "prefect.resource.role": role}
            for kind, role, id_ in related
            if id_ is not None
        ],
    }
