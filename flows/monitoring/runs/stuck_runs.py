"""End stuck runs, whose process or worker has ended, to release their slot. The state gives the reason.

Reads active runs and their heartbeats from the Prefect API; writes final states. Missing heartbeats alone
end nothing: a run whose process a worker of this state folder noted continues while that process exists, and
the time since the last heartbeat counts only while the server was available. Safe to repeat: a state is read again before it is changed.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.filters import EventFilter
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from analytics_worker.prefect_support.heartbeat_timeout import (
    HEARTBEAT_EVENT,
    HEARTBEAT_TIMEOUT,
    HEARTBEAT_VARIABLE,
)
from analytics_worker.process_identity import RUN_RECORDS, ProcessIdentity
from analytics_worker.settings import settings

START_TIMEOUT = timedelta(minutes=5)
CANCELLATION_TIMEOUT = timedelta(minutes=5)
FALLBACK_TIMEOUT = HEARTBEAT_TIMEOUT + timedelta(minutes=1)
"""Time without heartbeats after which the server's automation should have crashed the run."""


@dataclass(frozen=True)
class StuckRun:
    """A stuck run and the final state that it gets."""

    run: FlowRun
    state: State[Any]


def end_stuck(
    client: SyncPrefectClient, active: Iterable[FlowRun], now: datetime, *, server_available: bool
) -> list[str]:
    """End stuck runs; return one line for each.

    Args:
        client: The Prefect API.
        active: Runs that hold a slot.
        now: Time that ages are measured at.
        server_available: Whether the server was available, and this flow ran, for as long as heartbeats
            must be missing.
    """
    ended: list[str] = []
    for stuck in find_stuck(client, active, now, server_available=server_available):
        current = client.read_flow_run(stuck.run.id)
        if current.state_id == stuck.run.state_id:
            client.set_flow_run_state(stuck.run.id, stuck.state)
            ended.append(f"{stuck.run.name}: {stuck.state.message}")
    return ended


def find_stuck(
    client: SyncPrefectClient, active: Iterable[FlowRun], now: datetime, *, server_available: bool
) -> Iterator[StuckRun]:
    """Yield the stuck runs with their final states."""
    for run in active:
        if run.state is None or _runs_on_this_host(run):
            continue
        age = timedelta(seconds=now.timestamp() - run.state.timestamp.timestamp())
        heartbeat_age = age if run.state.is_pending() else _heartbeat_age(client, run, now)
        state = final_state(run.state, age, heartbeat_age, server_available=server_available)
        if state is not None:
            yield StuckRun(run, state)


def final_state(
    state: State[Any], age: timedelta, heartbeat_age: timedelta | None, *, server_available: bool
) -> State[Any] | None:
    """Return the final state of a stuck run; None if the run continues.

    Args:
        state: Its current state.
        age: Time since it entered that state.
        heartbeat_age: Time since its last heartbeat; None if it does not send heartbeats.
        server_available: Whether heartbeats could arrive.
    """
    minutes = f"{age.total_seconds() / 60:.0f} min"
    if state.is_pending() and age > START_TIMEOUT:
        return Crashed(
            message=f"Claimed {minutes} ago ({state.name}) and never started: the worker that"
            " claimed it has ended or could not start its process. The next run is not affected."
        )
    if (
        state.is_cancelling()
        and age > CANCELLATION_TIMEOUT
        and (heartbeat_age is None or heartbeat_age > HEARTBEAT_TIMEOUT)
    ):
        return Cancelled(
            message=f"Cancellation was requested {minutes} ago, and its process has not responded since."
        )
    if (
        state.is_running()
        and server_available
        and heartbeat_age is not None
        and heartbeat_age > FALLBACK_TIMEOUT
    ):
        return Crashed(
            message=f"No heartbeat for {heartbeat_age.total_seconds():.0f} s: its process has ended."
        )
    return None


def _heartbeat_age(client: SyncPrefectClient, run: FlowRun, now: datetime) -> timedelta | None:
    criteria = EventFilter.model_validate(
        {
            "event": {"name": [HEARTBEAT_EVENT]},
            "resource": {"id": [f"prefect.flow-run.{run.id}"]},
            "occurred": {"since": run.start_time or now - timedelta(days=1)},
        }
    )
    events = client.read_events(criteria, limit=1).events
    last = (
        events[0].occurred if events else run.start_time if _sends_heartbeats(client, run) else None
    )
    return None if last is None else timedelta(seconds=now.timestamp() - last.timestamp())


def _sends_heartbeats(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Whether the run sends heartbeats, the first one when it starts."""
    if run.deployment_id is None:
        return False
    try:
        variables = client.read_deployment(run.deployment_id).job_variables or {}
    except ObjectNotFound:
        return False
    return HEARTBEAT_VARIABLE in (variables.get("env") or {})


def _runs_on_this_host(run: FlowRun) -> bool:
    """Whether a worker of this host noted the run's process and it exists.

    A pid of the API is not asked for: it may be one of another host, or of another container.
    """
    folder = settings().state_dir / RUN_RECORDS
    noted = (ProcessIdentity.read(folder / name) for name in (str(run.id), f"{run.id}.started"))
    return any(process is not None and process.is_alive() for process in noted)
