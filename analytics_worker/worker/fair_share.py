"""Leave runs to the other workers of a pool, so that one that is a moment earlier does not take a whole burst.

Reads which workers of the pool are online; writes nothing. A run above the worker's share is left for a moment and
taken then, because the other workers may be full, draining or lost.
"""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from prefect.client.orchestration import PrefectClient

LEAVE_SECONDS = 1.0
"""How long a run is left to others, at least: they are woken by the same event."""
ANSWERS = 4
"""Requests in which another worker that is woken claims a run."""
COUNT_SECONDS = 30.0
"""How long the number of workers is taken for known: that of a worker's heartbeat."""


class FairShare:
    """The share of one worker in the runs of its pool."""

    def __init__(self, pool: str, wake: Callable[[], None]) -> None:
        self._pool, self._wake = pool, wake
        self.workers, self._counted_at = 1, -math.inf
        self._left: dict[UUID, float] = {}

    async def choose(
        self, client: PrefectClient, due: Sequence[Any], own: int, limit: int | None, answer: float
    ) -> list[Any]:
        """Return the runs to claim now.

        Args:
            client: Prefect's client.
            due: The runs that the server hands out, in order.
            own: Number of runs of the pool that this worker executes.
            limit: The pool's limit; None if it has none.
            answer: Seconds that the server's last answer took.
        """
        if len(due) + own < 2:  # noqa: PLR2004  # a single run is in the share of each worker
            return list(due)
        if (workers := await self._count(client)) == 1:
            return list(due)
        share = math.ceil(len(due) / workers if limit is None else limit / workers - own)
        leave_seconds = max(LEAVE_SECONDS, ANSWERS * answer)
        chosen = self.within(due, share, leave_seconds)
        if len(chosen) < len(due):
            asyncio.get_running_loop().call_later(leave_seconds, self._wake)
        return chosen

    def within(self, due: Sequence[Any], share: int, leave_seconds: float) -> list[Any]:
        """Return the runs of the share, and those that were left for long enough."""
        now, beyond = time.monotonic(), {each.flow_run.id for each in due[max(0, share) :]}
        self._left = {run: self._left.get(run, now) for run in beyond}
        late = {run for run, since in self._left.items() if now - since >= leave_seconds}
        return [each for each in due if each.flow_run.id not in beyond - late]

    async def _count(self, client: PrefectClient) -> int:
        if time.monotonic() - self._counted_at > COUNT_SECONDS:
            workers = await client.read_workers_for_work_pool(self._pool)
            self.workers = max(1, sum(each.status == "ONLINE" for each in workers))
            self._counted_at = time.monotonic()
        return self.workers
