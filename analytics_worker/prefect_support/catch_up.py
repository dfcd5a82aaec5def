"""After downtime one run per schedule catches up; the older ones have nothing left to do.

Reads the Prefect API. A schedule's runs are told apart by the schedule that made them (or by their
parameters, where the server does not say), so three schedules of one deployment catch up three times.
Runs that a person, an event or a program asked for are never skipped, and neither is one that has
already worked: paused, or waiting for a retry. Safe to repeat: it follows from the runs that there are.
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
from analytics_worker.prefect_support.run_filters import runs

LATE = timedelta(seconds=45)
"""Lateness from which it is worth asking; no schedule has two runs within a minute."""
CATCHING_UP = [
    StateType.SCHEDULED,
    StateType.PENDING,
    StateType.RUNNING,
    StateType.COMPLETED,
    StateType.FAILED,
    StateType.CRASHED,
]
"""A newer run in any state does the work, or did, unless it was cancelled."""


def is_late(run: FlowRun, now: datetime) -> bool:
    """Whether a schedule made it, it has not worked yet, and it should have long ago."""
    due = run.expected_start_time
    fresh = run.auto_scheduled and run.run_count <= 1
    return fresh and due is not None and due.timestamp() < (now - LATE).timestamp()


def schedule_of(run: FlowRun) -> Hashable:
    """What runs of the same schedule have in common."""
    maker = run.created_by
    if maker is not None and maker.type == "SCHEDULE" and maker.id is not None:
        return run.deployment_id, maker.id
    return run.deployment_id, json.dumps(run.parameters, sort_keys=True, default=str)


def superseded(candidates: Iterable[FlowRun]) -> list[tuple[FlowRun, FlowRun]]:
    """Each run that a newer one of its schedule makes superfluous, with the newest."""
    newest: dict[Hashable, FlowRun] = {}
    ordered = sorted(candidates, key=_due)
    for run in ordered:
        newest[schedule_of(run)] = run
    pairs = [(run, newest[schedule_of(run)]) for run in ordered]
    return [(run, newer) for run, newer in pairs if _due(run) < _due(newer)]


def waiting_runs(late: Sequence[FlowRun], now: datetime) -> FlowRunFilter:
    """Runs of the same deployments that are due and that nobody has claimed."""
    return _of_deployments(late, [StateType.SCHEDULED], before_=now)


def skipped(run: FlowRun, newer: FlowRun) -> State[Any]:
    """The state of a run that a newer one makes superfluous."""
    message = (
        f"was due at {_time(run)} and is made up for by the run of {_time(newer)}"
        " (one run per schedule catches up)"
    )
    return state_of(flow_result("skipped", message))


def skip_if_overdue() -> State[Any] | None:
    """How the current run ends if a newer one of its schedule does its work; else None."""
    context, now = FlowRunContext.get(), datetime.now(UTC)
    run = context.flow_run if context else None
    if run is None or not is_late(run, now):
        return None
    wanted = _of_deployments([run], CATCHING_UP, after_=run.expected_start_time, before_=now)
    with get_client(sync_client=True) as client:
        others = client.read_flow_runs(
            flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=LARGEST_PAGE
        )
    scheduled = [other for other in others if other.auto_scheduled and other.id != run.id]
    newer = next((newer for old, newer in superseded([run, *scheduled]) if old.id == run.id), None)
    return skipped(run, newer) if newer else None


def _of_deployments(
    late: Sequence[FlowRun], states: list[StateType], **expected_start_time: Any
) -> FlowRunFilter:
    deployments = sorted({str(run.deployment_id) for run in late})
    return runs(
        states, deployment_id={"any_": deployments}, expected_start_time=expected_start_time
    )


def _due(run: FlowRun) -> float:
    return run.expected_start_time.timestamp() if run.expected_start_time else 0.0


def _time(run: FlowRun) -> str:
    due = run.expected_start_time
    return due.strftime("%Y-%m-%d %H:%M UTC") if due else "an unknown time"
