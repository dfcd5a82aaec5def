"""How long the Prefect server waits for its own background tasks while there are none.

Prefect's services are tasks of a docket, which the server keeps in its memory. It looks for due tasks 25 times
a second: half of what an idle server costs. Here it looks once a second. A task that is added is noticed at once all
the same; one that is due later starts up to a second late, where the shortest period of a service is five seconds.
What only tidies up after automations is done every 20 s instead of every 5, and who listens to events is asked every 5 s
instead of every second whether it still does. Reads nothing; changes Prefect and its libraries in this process, once.
"""

import asyncio
import queue
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import lru_cache
from typing import Any

from burner_redis.pubsub import PubSub
from docket import Worker
from prefect.server.api import background_workers
from prefect.server.events import stream, triggers
from prefect.server.events.filters import EventFilter
from prefect.server.events.schemas.events import ReceivedEvent
from typing_extensions import override

WAIT = timedelta(seconds=1)
TIDY_UP = timedelta(seconds=20)
"""A change of an automation is noticed at once; here only one that another server made, or that was missed."""
CONNECTION_CHECK_SECONDS = 5.0

_evaluate_periodically = triggers.evaluate_periodically


class PatientWorker(Worker):
    """A worker of the docket that looks for due tasks less often."""

    @override
    def __init__(self, docket: Any, **options: Any) -> None:
        options = {"minimum_check_interval": WAIT, "scheduling_resolution": WAIT, **options}
        super().__init__(docket, **options)


async def _next_message(self: Any, timeout: float | None) -> Any:  # noqa: ASYNC109  # as burner_redis calls it
    """Return the next message as soon as there is one; None after a second, or at once if it must not wait."""
    try:
        if timeout == 0:
            return self._queue.get_nowait()
        return await asyncio.to_thread(self._queue.get, True, WAIT.total_seconds())
    except queue.Empty:
        return None if timeout is not None else await _next_message(self, timeout)


async def _tidy_up(periodic_granularity: timedelta) -> None:
    """Remove expired buckets and events of automations; the deadlines of triggers are another service's."""
    await _evaluate_periodically(max(periodic_granularity, TIDY_UP))


@asynccontextmanager
async def _events(
    filter: EventFilter,  # noqa: A002  # Prefect's signature
) -> AsyncGenerator[AsyncIterable[ReceivedEvent | None]]:
    """Subscribe to events; None now and then while there are none, so that the connection is checked."""
    async with stream.subscribed(filter) as queue:
        yield _each(queue)


async def _each(events: asyncio.Queue[ReceivedEvent]) -> AsyncGenerator[ReceivedEvent | None]:
    while True:
        try:
            async with asyncio.timeout(CONNECTION_CHECK_SECONDS):
                event = await events.get()
        except TimeoutError:
            event = None
        yield event


@lru_cache(maxsize=1)
def wait_for_background_tasks() -> None:
    """Let the server of this process wait for background tasks instead of looking for them all the time."""
    setattr(background_workers, "Worker", PatientWorker)  # noqa: B010  # which Prefect imports from docket
    setattr(PubSub, "_queue_get", _next_message)  # noqa: B010
    setattr(triggers, "evaluate_periodically", _tidy_up)  # noqa: B010
    setattr(stream, "events", _events)  # noqa: B010
