"""The worker knows beforehand when runs are due: it needs no poll and no event to start them."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.worker.server_clock import ServerClock
from analytics_worker.worker.upcoming_runs import UpcomingRuns
from tests.support.case_runs import Workspace
from tests.support.ports import free_port
from tests.support.processes import Process


def look(api_url: str, pool: str) -> list[tuple[UUID | None, datetime]]:
    """What is reported to the pool."""
    told: list[tuple[UUID | None, datetime]] = []

    async def look_once() -> None:
        with temporary_settings({PREFECT_API_URL: api_url}):
            async with get_client(httpx_settings={"timeout": 5}) as client:
                await UpcomingRuns({pool: lambda *run: told.append(run)}, ServerClock()).look(
                    client
                )

    asyncio.run(look_once())
    return told


def test_it_finds_the_runs_of_the_pool_that_are_due_soon(pool: Workspace):
    deployment = pool.deploy("ok")
    soon, due, _later = (pool.schedule(deployment, seconds) for seconds in (30, -1, 3600))
    told = dict(look(str(pool.client.api_url), pool.pool))
    assert set(told) == {soon, due}
    assert told[soon] > told[due] + timedelta(seconds=30)
    assert look(str(pool.client.api_url), "another") == []


def test_a_pool_is_polled_while_the_server_does_not_answer():
    before = datetime.now(UTC)
    [(run, due)] = look(f"http://127.0.0.1:{free_port()}/api", "pool")
    assert run is None
    assert before <= due <= datetime.now(UTC)


def test_a_run_starts_at_its_time_without_a_poll(
    pool: Workspace, start_worker: Callable[..., Process]
):
    deployment = pool.deploy("ok")
    due = datetime.now(UTC) + timedelta(seconds=25)
    run = pool.schedule(deployment, 25)  # no event: the worker is not there yet
    start_worker("--poll-seconds", "3600")
    assert pool.wait(run, timeout=90).is_completed()
    started = pool.read(run).start_time
    assert started is not None
    assert started.timestamp() >= due.timestamp() - 1
