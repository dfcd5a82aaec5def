"""How long the Prefect server waits for its own background tasks while there are none.

Prefect's services are tasks of a docket, which the server keeps in its memory. It looks for due tasks 25 times
a second: half of what an idle server costs. Here it looks once a second. A task that is added is noticed at once all
the same; one that is due later starts up to a second late, where the shortest period of a service is five seconds.
Reads nothing; changes classes of Prefect's libraries in this process, once.
"""

import asyncio
import queue
from datetime import timedelta
from functools import lru_cache
from typing import Any

from burner_redis.pubsub import PubSub
from docket import Worker
from prefect.server.api import background_workers
from typing_extensions import override

WAIT = timedelta(seconds=1)


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


@lru_cache(maxsize=1)
def wait_for_background_tasks() -> None:
    """Let the server of this process wait for background tasks instead of looking for them all the time."""
    setattr(background_workers, "Worker", PatientWorker)  # noqa: B010  # which Prefect imports from docket
    setattr(PubSub, "_queue_get", _next_message)  # noqa: B010
