"""Ends runs that nobody works on any more, so that they give back their slot; the state says why.

Reads runs in progress and their heartbeats from the Prefect API; writes final states. Silence alone
ends nothing: a run whose process lives on this host is left alone, and silence counts only as far as
the server was there to hear. Safe to repeat: a state is read again before it is changed.
"""

import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psutil
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import FlowRun, State
from prefect.events.filters import EventFilter
from prefect.exceptions import ObjectNotFound
from prefect.states import Cancelled, Crashed

from analytics_worker.prefect_support.heartbeat_settings import (
    HEARTBEAT_EVENT,
    HEARTBEAT_TIMEOUT,
    HEARTBEAT_VARIABLE,
)

UNSTARTED = timedelta(minutes=5)
UNFINISHED = timedelta(minutes=5)
LOST = HEARTBEAT_TIMEOUT + timedelta(minutes=1)
"""Silence after which the automation of the server has had its chance."""


@dataclass(frozen=True)
class Stuck:
    """A run that is to be ended."""

    run: FlowRun
    state: State[Any]


def reap(
    client: SyncPrefectClient, in_progress: Iterable[FlowRun], now: datetime, *, heard: bool
) -> list[str]:
    """End what is stuck; one sentence for each.

    Args:
        client: The Prefect API.
        in_progress: Runs that hold a slot.
        now: Instant that ages are measured at.
        heard: Whether the server was there, and we with it, for as long as a run must be silent.
    """
    told: list[str] = []
    for stuck in find_stuck(client, in_progress, now, heard=heard):
        again = client.read_flow_run(stuck.run.id)
        if again.state_id == stuck.run.state_id:
            client.set_flow_run_state(stuck.run.id, stuck.state)
            told.append(f"{stuck.run.name}: {stuck.state.message}")
    return told


def find_stuck(
    client: SyncPrefectClient, in_progress: Iterable[FlowRun], now: datetime, *, heard: bool
) -> Iterator[Stuck]:
    """The runs that are stuck, each with the state that it is to end in."""
    for run in in_progress:
        if run.state is None or _lives_here(run):
            continue
        age = timedelta(seconds=now.timestamp() - run.state.timestamp.timestamp())
        silence = age if run.state.is_pending() else _silence(client, run, now)
        end = judge(run.state, age, silence, heard=heard)
        if end is not None:
            yield Stuck(run, end)


def judge(
    state: State[Any], age: timedelta, silence: timedelta | None, *, heard: bool
) -> State[Any] | None:
    """The end of a run that has been in this state, and silent, for so long; None if it goes on.

    Args:
        state: Its state.
        age: How long it has been in it.
        silence: Time since its last heartbeat; None if it does not send any.
        heard: Whether a heartbeat would have been heard.
    """
    minutes = f"{age.total_seconds() / 60:.0f} min"
    if state.is_pending() and age > UNSTARTED:
        return Crashed(
            message=f"Claimed {minutes} ago ({state.name}) and never started: the worker that"
            " claimed it is gone, or could not start its process. The next run is not affected."
        )
    if (
        state.is_cancelling()
        and age > UNFINISHED
        and (silence is None or silence > HEARTBEAT_TIMEOUT)
    ):
        return Cancelled(
            message=f"Asked to stop {minutes} ago, and nothing was heard of its process since."
        )
    if state.is_running() and heard and silence is not None and silence > LOST:
        return Crashed(
            message=f"No heartbeat for {silence.total_seconds():.0f} s: its process is gone."
        )
    return None


def _silence(client: SyncPrefectClient, run: FlowRun, now: datetime) -> timedelta | None:
    wanted = EventFilter.model_validate(
        {
            "event": {"name": [HEARTBEAT_EVENT]},
            "resource": {"id": [f"prefect.flow-run.{run.id}"]},
            "occurred": {"since": run.start_time or now - timedelta(days=1)},
        }
    )
    events = client.read_events(wanted, limit=1).events
    last = events[0].occurred if events else run.start_time if _beats(client, run) else None
    return None if last is None else timedelta(seconds=now.timestamp() - last.timestamp())


def _beats(client: SyncPrefectClient, run: FlowRun) -> bool:
    """Whether it is to send heartbeats, the first one at its start."""
    if run.deployment_id is None:
        return False
    try:
        variables = client.read_deployment(run.deployment_id).job_variables or {}
    except ObjectNotFound:
        return False
    return HEARTBEAT_VARIABLE in (variables.get("env") or {})


def _lives_here(run: FlowRun) -> bool:
    """Whether its process is one of this host's and still there."""
    host, _, pid = str(run.infrastructure_pid or "").rpartition(":")
    if not pid.isdigit() or host not in {"", socket.gethostname()}:
        return False
    try:
        process = psutil.Process(int(pid))
        started = run.state is not None and run.state.timestamp.timestamp()
        # A process that is younger than the run has only taken over its number.
        return process.is_running() and process.create_time() <= float(started) + 1
    except psutil.Error:
        return False
