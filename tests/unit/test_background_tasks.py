"""The server's background tasks run as before while its docket waits longer between two looks."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from burner_redis.pubsub import PubSub
from docket import Docket
from prefect.server.api import background_workers as _background_workers
from prefect.server.events import stream, triggers
from prefect.server.events.filters import EventFilter
from prefect.server.events.schemas.events import ReceivedEvent, Resource

from analytics_worker.server import background_tasks
from analytics_worker.server.background_tasks import PatientWorker, wait_for_background_tasks

WITHIN = 30
background_workers: Any = _background_workers


@pytest.fixture(autouse=True)
def _patched(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(background_workers, "Worker", background_workers.Worker)
    monkeypatch.setattr(PubSub, "_queue_get", PubSub._queue_get)
    monkeypatch.setattr(triggers, "evaluate_periodically", triggers.evaluate_periodically)
    monkeypatch.setattr(stream, "events", stream.events)
    background_tasks.wait_for_background_tasks.cache_clear()
    wait_for_background_tasks()


def with_worker(scenario: Callable[[Docket], Awaitable[None]]) -> None:
    """Do something on a docket in memory that one worker serves, as the server does it."""

    async def serve() -> None:
        name = f"test-{uuid4().hex}"
        async with (
            Docket(name=name, url="memory://") as docket,
            background_workers.Worker(docket) as worker,
        ):
            serving = asyncio.create_task(worker.run_forever())
            await asyncio.wait_for(scenario(docket), WITHIN)
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)

    asyncio.run(serve())


def test_the_server_s_worker_is_patient():
    assert background_workers.Worker is PatientWorker


def test_tasks_are_done_now_and_later():
    done: dict[str, asyncio.Event] = {}

    async def work(name: str) -> None:
        done[name].set()

    async def scenario(docket: Docket) -> None:
        done.update(now=asyncio.Event(), later=asyncio.Event())
        later = datetime.now(UTC) + timedelta(seconds=1)
        await docket.add(work, when=later)("later")
        await docket.add(work)("now")
        await done["now"].wait()
        assert not done["later"].is_set()
        await done["later"].wait()
        assert datetime.now(UTC) >= later

    with_worker(scenario)


def test_a_task_can_be_cancelled():
    began, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def scenario(docket: Docket) -> None:
        execution = await docket.add(work)()
        await began.wait()
        await docket.cancel(execution.key)
        await ended.wait()

    with_worker(scenario)


def test_who_listens_to_events_gets_each_at_once_and_is_checked_in_between(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(background_tasks, "CONNECTION_CHECK_SECONDS", 0.01)
    resource = Resource({"prefect.resource.id": "a"})
    event = ReceivedEvent(occurred=datetime.now(UTC), event="e", resource=resource, id=uuid4())  # pyright: ignore[reportArgumentType]

    async def listen() -> list[ReceivedEvent | None]:
        async with stream.events(EventFilter()) as events:
            received = aiter(events)
            quiet = await anext(received)
            (queue,) = stream.subscribers
            queue.put_nowait(event)
            queue.put_nowait(event)
            return [quiet, await anext(received), await anext(received)]

    assert asyncio.run(listen()) == [None, event, event]
    assert not stream.subscribers


def test_what_tidies_up_after_automations_waits_longer(monkeypatch: pytest.MonkeyPatch):
    waits: list[timedelta] = []

    async def evaluate(granularity: timedelta) -> None:
        waits.append(granularity)

    monkeypatch.setattr(background_tasks, "_evaluate_periodically", evaluate)
    asyncio.run(triggers.evaluate_periodically(timedelta(seconds=5)))
    asyncio.run(triggers.evaluate_periodically(timedelta(seconds=60)))
    assert waits == [timedelta(seconds=20), timedelta(seconds=60)]
