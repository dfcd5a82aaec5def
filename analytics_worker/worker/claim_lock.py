"""Lock the claiming of a pool's runs, so that its limit holds over all workers.

The server counts a pool's PENDING and RUNNING runs when it answers a poll, and nowhere else: two
workers that poll at the same time are handed too many. So one of them at a time polls and makes
its runs PENDING. The lock is a slot of a global concurrency limit of one, kept in the server's
database: acquiring it is atomic and survives a restart of the server. The slot decays, so the lock is
released if its owner dies; it is not used for longer than half of that time.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitCreate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.logging import get_logger

DECAY_SECONDS = 10.0
USABLE_SECONDS = DECAY_SECONDS / 2
ACQUIRE_TIMEOUT_SECONDS = 3 * DECAY_SECONDS
POLL_SECONDS = (0.05, 0.2)
LOCKED = 423

logger = get_logger("worker.claims")


class ClaimLockTimeoutError(TimeoutError):
    """The lock could not be acquired in time, or the server did not answer."""


class ClaimLock:
    """The claim lock of one pool."""

    def __init__(self, client: PrefectClient, pool: str) -> None:
        self._client = client
        self.name = f"claims-of-{pool}"

    @asynccontextmanager
    async def acquire(self) -> AsyncGenerator[float]:
        """Hold the lock; yield the instant of the monotonic clock until which it may be used.

        Raises:
            ClaimLockTimeoutError: it could not be acquired in time.
        """
        started = await self._acquire()
        try:
            yield started + USABLE_SECONDS
        finally:
            if time.monotonic() < started + DECAY_SECONDS * 0.9:  # else another worker may have it
                await self._release()

    async def _acquire(self) -> float:
        deadline = time.monotonic() + ACQUIRE_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            started = time.monotonic()
            if await self._try_acquire():
                return started
            await self._wait_until_free(deadline)
        raise ClaimLockTimeoutError(
            f"could not acquire claim lock {self.name} within {ACQUIRE_TIMEOUT_SECONDS:.0f} s"
        )

    async def _try_acquire(self) -> bool:
        try:
            answer = await self._client.increment_concurrency_slots(
                names=[self.name], slots=1, mode="concurrency"
            )
        except httpx.HTTPStatusError as error:
            if error.response.status_code == LOCKED:
                return False
            raise
        if answer.json():
            return True
        await self._create()  # a limit that does not exist would admit every worker
        return False

    async def _create(self) -> None:
        limit = GlobalConcurrencyLimitCreate(
            name=self.name, limit=1, slot_decay_per_second=1 / DECAY_SECONDS
        )
        with suppress(ObjectAlreadyExists):
            await self._client.create_global_concurrency_limit(limit)

    async def _wait_until_free(self, deadline: float) -> None:
        """Look without touching: an attempt that fails would keep a dead owner's slot fresh."""
        seen, since = None, time.monotonic()
        while time.monotonic() < deadline:
            try:
                limit = await self._client.read_global_concurrency_limit_by_name(self.name)
            except ObjectNotFound:
                return
            if limit.active_slots < 1:
                return
            if limit.updated != seen:
                seen, since = limit.updated, time.monotonic()
            elif time.monotonic() - since > DECAY_SECONDS + 1:
                return  # its owner is dead: by now the server counts the slot as free
            await asyncio.sleep(random.uniform(*POLL_SECONDS))  # noqa: S311  # spreads rivals

    async def _release(self) -> None:
        try:
            await self._client.release_concurrency_slots(
                names=[self.name], slots=1, occupancy_seconds=1
            )
        except (httpx.HTTPError, OSError) as error:
            logger.warning("could not release claim lock %s; it will expire: %r", self.name, error)
