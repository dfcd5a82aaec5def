"""Find the runs that were lost together with the request in their parameters.

Pure functions. Only runs with the tag count: what their parameters ask for is stored nowhere else. A run was lost
if its process ended without reporting an end, if it took too long, or if it failed by an error of its surroundings,
such as an outage of the database. A request that is not valid, and a cancelled run, are not lost.
"""

from datetime import datetime

from prefect.client.schemas.objects import FlowRun

RERUN_TAG = "rerun-if-lost"
"""Tag of deployments in prefect.yaml."""
TIMED_OUT = "TimedOut"


def lost_request_time(run: FlowRun) -> datetime | None:
    """Return when a lost run was due; None if the run was not lost, or is not run again."""
    if RERUN_TAG not in run.tags or not _is_lost(run):
        return None
    return run.expected_start_time or run.created


def _is_lost(run: FlowRun) -> bool:
    state = run.state
    if state is None or state.is_crashed():
        return state is not None
    return state.is_failed() and (state.name == TIMED_OUT or state.state_details.retriable is True)
