"""Heartbeats of runs in progress, sent by the worker that watches their processes.

A run sends its own from a thread, which a computation that holds the interpreter's lock keeps from
running: without these it would pass for dead. Reads the runs from the Prefect API; writes events.
Sending one more than the run does is harmless.
"""

import asyncio
from uuid import UUID

import httpx
from prefect.client.schemas.objects import StateType
from prefect.logging import get_logger

from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.prefect_support.heartbeat_timeout import HEARTBEAT_SECONDS, heartbeat_event
from analytics_worker.prefect_support.run_filters import runs_in_states
from analytics_worker.worker.run_executor import RunExecutor

logger = get_logger("analytics_worker.worker.heartbeats")


async def send_heartbeats(run_executor: RunExecutor) -> None:
    """Send one for each process that has lived for a beat, forever; short runs cost nothing."""
    known: set[UUID] = set()
    while True:
        await asyncio.sleep(HEARTBEAT_SECONDS)
        alive = set(run_executor.pids())
        try:
            await _send(run_executor, sorted(alive & known))
        except (httpx.HTTPError, OSError) as error:
            logger.debug("no heartbeats: %s", api_problem(error))
        known = alive


async def _send(run_executor: RunExecutor, ids: list[UUID]) -> None:
    if not ids:
        return
    wanted = runs_in_states([StateType.RUNNING], id={"any_": ids})
    running = await run_executor.client.read_flow_runs(flow_run_filter=wanted)
    # Asked again: a run that ended meanwhile must not be expected to send another one.
    events = [heartbeat_event(run) for run in running if run.id in run_executor.pids()]
    if events:
        response = await run_executor.client.request("POST", "/events", json=events)
        response.raise_for_status()
