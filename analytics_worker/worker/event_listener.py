"""Wakes workers up when something happened to a run of their pool.

One subscription to the server's events for all pools. Events can be lost, so they only signal
"look now": the workers poll as well. Reads events; writes nothing.
"""

import asyncio
from collections.abc import Callable, Mapping
from uuid import UUID

from prefect.events import Event
from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventAnyResourceFilter, EventFilter, EventNameFilter
from prefect.logging import get_logger

RECONNECT_SECONDS = 1.0
CANCELLING = "prefect.flow-run.Cancelling"
WORK = ("Scheduled", "Late", "Resuming", "AwaitingRetry", "AwaitingConcurrencySlot")
ROOM = ("Completed", "Failed", "Crashed", "Cancelled", "Paused", "Suspended")
CHANGED = tuple(
    f"prefect.work-{what}.{how}" for what in ("pool", "queue") for how in ("ready", "updated")
)
"""A pool or queue that is no longer paused, or has another limit, may have room."""

logger = get_logger("analytics_worker.worker.event_listener")


class EventListener:
    """Call functions for events of the runs of some pools."""

    def __init__(
        self, pools: Mapping[UUID, Callable[[bool], None]], cancel: Callable[[UUID], None]
    ) -> None:
        """Name what to call: for each run to cancel, and per pool when to look for work.

        A pool's function gets True if there is work, and False if there may only be room for some.
        """
        self._pools = {f"prefect.work-pool.{pool}": wake for pool, wake in pools.items()}
        self._cancel = cancel

    async def listen(self) -> None:
        """Follow the events forever, over every restart of the server."""
        while True:
            try:
                await self._follow()
            except Exception as error:  # noqa: BLE001  # polling continues after every error
                logger.debug("events are not available now: %r", error)
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self) -> None:
        wanted = EventFilter(
            event=EventNameFilter(
                name=[CANCELLING, *CHANGED, *(f"prefect.flow-run.{n}" for n in WORK + ROOM)]
            ),
            any_resource=EventAnyResourceFilter(id=list(self._pools)),
        )
        async with get_events_subscriber(filter=wanted, reconnection_attempts=0) as events:
            for wake in self._pools.values():
                wake(False)  # for events that were missed
            async for event in events:
                self._dispatch(event)

    def _dispatch(self, event: Event) -> None:
        if event.event == CANCELLING:
            self._cancel(UUID(event.resource.id.rsplit(".", 1)[-1]))
            return
        for resource in event.involved_resources:
            if resource.id in self._pools:
                self._pools[resource.id](event.event.rsplit(".", 1)[-1] in WORK)
