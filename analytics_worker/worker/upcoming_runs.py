"""Notify the pools of this process of the times at which runs are due, so that they start on time without being asked for.

One request for all pools replaces a poll of each: a pool is polled when a run is due, when an event names it, and
from time to time. Reads the runs of the queues; writes nothing. If that is not possible, each pool is polled instead.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.sorting import FlowRunSort
from prefect.logging import get_logger

from analytics_worker.prefect_support.pagination import LARGEST_PAGE
from analytics_worker.worker.server_clock import ServerClock

BEFORE, AHEAD = timedelta(seconds=20), timedelta(seconds=45)
"""Runs that were due earlier wait for a slot, which an event announces, or for the next poll."""
COLLECT_SECONDS = 0.3
"""Time in which a run that is due now is started, and further runs may be announced."""

Expect = Callable[[UUID | None, datetime], None]

logger = get_logger("analytics_worker.worker.upcoming_runs")


class UpcomingRuns:
    """Look for the runs that are due, or will be soon, in any of some pools."""

    def __init__(self, pools: Mapping[str, Expect], clock: ServerClock) -> None:
        """Set the clock by which runs are due, and name per pool the function to call with a run and the time at which it is due.

        It is called without a run if there may be one that is due now.
        """
        self._pools, self._clock = pools, clock
        self._is_new = asyncio.Event()

    def announce(self) -> None:
        """Look soon: a run was put into a queue, maybe for a time that is near."""
        self._is_new.set()

    async def watch(self, client: PrefectClient, every_seconds: float) -> None:
        """Look again and again, forever."""
        while True:
            await self.look(client)
            await asyncio.sleep(COLLECT_SECONDS)
            with anyio.move_on_after(every_seconds - COLLECT_SECONDS):
                await self._is_new.wait()
                await asyncio.sleep(COLLECT_SECONDS)
            self._is_new.clear()

    async def look(self, client: PrefectClient) -> None:
        """Look once. Where there is more than one page shows, each pool is polled, too."""
        try:
            rows = await self._read(client)
        except (httpx.HTTPError, OSError) as error:
            logger.debug("cannot look for upcoming runs: %r", error)
            rows = None
        if rows is None or len(rows) == LARGEST_PAGE:
            for expect in self._pools.values():
                expect(None, self._clock.now())
        self._tell(rows or ())

    async def _read(self, client: PrefectClient) -> list[dict[str, Any]]:
        now = self._clock.now()
        due = {"after_": (now - BEFORE).isoformat(), "before_": (now + AHEAD).isoformat()}
        body = {
            "flow_runs": {
                "state": {"type": {"any_": ["SCHEDULED"]}},
                "next_scheduled_start_time": due,
            },
            "work_pools": {"name": {"any_": list(self._pools)}},
            "sort": FlowRunSort.NEXT_SCHEDULED_START_TIME_ASC.value,
            "limit": LARGEST_PAGE,
        }
        return (await client.request("POST", "/flow_runs/filter", json=body)).json()

    def _tell(self, rows: Iterable[Mapping[str, Any]]) -> None:
        for row in rows:
            expect = self._pools.get(row["work_pool_name"])
            if expect is not None:
                due = datetime.fromisoformat(row["next_scheduled_start_time"])
                expect(UUID(row["id"]), due)
