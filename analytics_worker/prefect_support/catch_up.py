"""Skip scheduled runs that a newer run supersedes: after downtime, one run per schedule catches up.

Reads the Prefect API. Runs are grouped by the schedule that created them (or by their parameters, where
the server does not record it), so three schedules of one deployment catch up three times. Runs that a
person, an event or a program requested are never skipped, and neither are runs that have already started:
paused ones, or those that wait for a retry. Safe to repeat: the decision depends on the stored runs only.
"""

import json
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext

from analytics_worker.prefect_support.pagination import LARGEST_PAGE
from analytics_worker.prefect_support.results import flow_result, state_of
from analytics_worker.prefect_support.run_filters import runs_in_states

MIN_LATENESS = timedelta(seconds=45)
"""Lateness from which newer runs are searched for; no schedule has two runs within a minute."""
SUPERSEDING_STATES = [
    StateType.SCHEDULED,
    StateType.PENDING,
    StateType.RUNNING,
    StateType.COMPLETED,
    StateType.FAILED,
    StateType.CRASHED,
]
"""States of newer runs that do the work, or did it; cancelled ones do not."""


def is_late(run: FlowRun, now: datetime) -> bool:
    """Whether a schedule created the run, it has not started yet, and its start is overdue."""
    due = run.expected_start_time
    fresh = run.auto_scheduled and run.run_count <= 1
    return fresh and due is not None and due.timestamp() < (now - MIN_LATENESS).timestamp()


def schedule_key(run: FlowRun) -> Hashable:
    """Return the key that runs of the same schedule share."""
    creator = run.created_by
    if creator is not None and creator.type == "SCHEDULE" and creator.id is not None:
        return run.deployment_id, creator.id
    return run.deployment_id, json.dumps(run.parameters, sort_keys=True, default=str)


def superseded_runs(candidates: Iterable[FlowRun]) -> list[tuple[FlowRun, FlowRun]]:
    """Return each run that a newer run of its schedule supersedes, with the newest one."""
    newest: dict[Hashable, FlowRun] = {}
    ordered = sorted(candidates, key=_due)
    for run in ordered:
        newest[schedule_key(run)] = run
    pairs = [(run, newest[schedule_key(run)]) for run in ordered]
    return [(run, newer) for run, newer in pairs if _due(run) < _due(newer)]


def unclaimed_runs(late: Sequence[FlowRun], now: datetime) -> FlowRunFilter:
    """Return a filter for due runs of the same deployments that no worker has claimed."""
    return _of_deployments(late, [StateType.SCHEDULED], before_=now)


def skipped_state(run: FlowRun, newer: FlowRun) -> State[Any]:
    """Return the state of a run that a newer one supersedes."""
    message = (
        f"was due at {_time(run)} and is superseded by the run of {_time(newer)}"
        " (one run per schedule catches up)"
    )
    return state_of(flow_result("skipped", message))


def skip_if_superseded() -> State[Any] | None:
    """Return the state of the current run if a newer run of its schedule supersedes it; else None."""
    context, now = FlowRunContext.get(), datetime.now(UTC)
    run = context.flow_run if context else None
    if run is None or not is_late(run, now):
        return None
    criteria = _of_deployments(
        [run], SUPERSEDING_STATES, after_=run.expected_start_time, before_=now
    )
    with get_client(sync_client=True) as client:
        others = client.read_flow_runs(
            flow_run_filter=criteria, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=LARGEST_PAGE
        )
    scheduled = [other for other in others if other.auto_scheduled and other.id != run.id]
    newer = next(
        (newer for old, newer in superseded_runs([run, *scheduled]) if old.id == run.id), None
    )
    return skipped_state(run, newer) if newer else None


def _of_deployments(
    late: Sequence[FlowRun], states: list[StateType], **expected_start_time: Any
) -> FlowRunFilter:
    deployments = sorted({str(run.deployment_id) for run in late})
    return runs_in_states(
        states, deployment_id={"any_": deployments}, expected_start_time=expected_start_time
    )


def _due(run: FlowRun) -> float:
    return run.expected_start_time.timestamp() if run.expected_start_time else 0.0


def _time(run: FlowRun) -> str:
    due = run.expected_start_time
    return due.strftime("%Y-%m-%d %H:%M UTC") if due else "an unknown time"
