"""Announce that something happened to runs, pools or deployments, so that it is read soon.

One subscription to the server's events. Events can be lost, and what they announce may be stored a moment later: they
are never counted. Reads events; writes nothing. While there is no subscription, all is read in short intervals.
"""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from functools import partial

from prefect.events.clients import get_events_subscriber
from prefect.events.filters import EventFilter, EventNameFilter

from analytics_worker.exporter.console import log_line
from analytics_worker.prefect_support.stack_access import use_server, with_stack_access

RECONNECT_SECONDS = 5.0
ANNOUNCED = [f"prefect.{kind}." for kind in ("flow-run", "work-pool", "deployment", "worker")]
TELEMETRY = "analytics."


class EventSubscription:
    """Call a function for each event, in a thread of its own."""

    def __init__(self) -> None:
        """Nothing is opened yet."""
        self.connected = False
        self._failed = False
        self._loop = asyncio.new_event_loop()
        self._thread: threading.Thread | None = None

    def start(self, announce: Callable[[], None]) -> None:
        """Begin to listen."""
        context = copy_context()  # with Prefect's settings
        listen = partial(self._run, announce)
        self._thread = threading.Thread(
            target=lambda: context.run(listen), name="events", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End."""
        if self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=1)

    def _run(self, announce: Callable[[], None]) -> None:
        listening = self._loop.create_task(self._listen(announce))
        self._loop.run_forever()
        listening.cancel()
        with suppress(asyncio.CancelledError):
            self._loop.run_until_complete(listening)
        self._loop.close()

    async def _listen(self, announce: Callable[[], None]) -> None:
        while True:
            try:
                await self._follow(announce)
            except Exception as error:  # noqa: BLE001  # the API is polled in short intervals meanwhile
                self._log(error)
            self.connected = False
            await asyncio.sleep(RECONNECT_SECONDS)

    async def _follow(self, announce: Callable[[], None]) -> None:
        wanted = EventFilter(event=EventNameFilter(prefix=[*ANNOUNCED, TELEMETRY]))
        with use_server(), with_stack_access():
            async with get_events_subscriber(filter=wanted, reconnection_attempts=0) as events:
                self.connected, self._failed = True, False
                announce()  # what happened before
                async for _ in events:
                    announce()

    def _log(self, error: Exception) -> None:
        if not self._failed:  # once per outage
            log_line(f"events: {type(error).__name__}; the API is polled instead")
        self._failed = True
