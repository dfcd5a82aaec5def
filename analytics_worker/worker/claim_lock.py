"""Lock the claiming of a pool's runs, so that its limit holds over all workers.

The server counts a pool's PENDING and RUNNING runs when it answers a poll, and nowhere else: two
workers that poll at the same time are handed too many. So one of them at a time polls and makes
its runs PENDING. The lock is a slot of a global concurrency limit of one, kept in the server's
database: acquiring it is atomic and survives a restart of the server. The slot decays, so the lock is
released if its owner dies. The owner renews it while it is used, and stops using it well before it decays.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import GlobalConcurrencyLimitUpdate
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.logging import get_logger

from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.prefect_support.claim_limits import DECAY_SECONDS, claim_limit, name_of

USABLE_SECONDS = 14.0
"""Seconds after a renewal was sent in which requests are sent; each may then take the rest of the time."""
RENEW_SECONDS = 2.0
ACQUIRE_TIMEOUT_SECONDS = 3 * DECAY_SECONDS
POLL_SECONDS = (0.05, 0.2)
GIVE_WAY_SECONDS = 0.3
"""Longer than a worker that waits for the lock takes to see that it is free."""
LOCKED = 423

logger = get_logger("worker.claims")


class ClaimLockTimeoutError(TimeoutError):
    """The lock could not be acquired in time, or the server did not answer."""


class ClaimLock:
    """The claim lock of one pool."""

    def __init__(self, client: PrefectClient, pool: str) -> None:
        self._client = client
        self.name = name_of(pool)
        self._pool = pool
        self.answer_seconds = 0.0
        """How long the server's last answer took."""
        self._renewed_at = self._released_at = -DECAY_SECONDS

    @property
    def expires_at(self) -> float:
        """Instant of the monotonic clock until which it may be used."""
        return self._renewed_at + USABLE_SECONDS

    @asynccontextmanager
    async def acquire(self, workers: int = 1) -> AsyncGenerator[None]:
        """Hold the lock, and renew it until the end of the block; `expires_at` says if that works.

        Args:
            workers: Number of workers that claim runs of the pool. This one lets the others have it first
                if it had the lock just now: it would always be faster than those that wait for it.

        Raises:
            ClaimLockTimeoutError: it could not be acquired in time.
        """
        if workers > 1:
            await self._give_way()
        self._renewed_at = await self._acquire()
        renewal = asyncio.create_task(self._keep_renewing())
        try:
            yield
        finally:
            renewal.cancel()
            await asyncio.gather(renewal, return_exceptions=True)
            if time.monotonic() < self.expires_at:  # else another worker may have it
                await self._release()
            self._released_at = time.monotonic()

    async def _give_way(self) -> None:
        until = self._released_at + GIVE_WAY_SECONDS + 2 * self.answer_seconds
        await asyncio.sleep(max(0.0, until - time.monotonic()))

    async def _keep_renewing(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            sent = time.monotonic()
            with suppress(httpx.HTTPError, OSError, ObjectNotFound):
                await self._client.update_global_concurrency_limit(
                    self.name, GlobalConcurrencyLimitUpdate(active_slots=1)
                )
                if time.monotonic() >= self.expires_at:
                    return  # it may have decayed before the renewal arrived
                self._renewed_at = sent

    async def _acquire(self) -> float:
        deadline = time.monotonic() + ACQUIRE_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            started = time.monotonic()
            acquired = await self._try_acquire()
            self.answer_seconds = time.monotonic() - started
            if acquired and self.answer_seconds < USABLE_SECONDS:
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
        with suppress(ObjectAlreadyExists):
            await self._client.create_global_concurrency_limit(claim_limit(self._pool))

    async def prepare(self) -> None:
        """Let a limit that an earlier version created decay as slowly as this one expects."""
        with suppress(ObjectNotFound):
            limit = await self._client.read_global_concurrency_limit_by_name(self.name)
            if limit.slot_decay_per_second != 1 / DECAY_SECONDS:
                slower = GlobalConcurrencyLimitUpdate(slot_decay_per_second=1 / DECAY_SECONDS)
                await self._client.update_global_concurrency_limit(self.name, slower)

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
            spread = random.uniform(*POLL_SECONDS)  # noqa: S311  # spreads rivals
            await asyncio.sleep(max(spread, self.answer_seconds))

    async def _release(self) -> None:
        try:
            await self._client.release_concurrency_slots(
                names=[self.name], slots=1, occupancy_seconds=1
            )
        except (httpx.HTTPError, OSError) as error:
            problem = api_problem(error)
            logger.warning(
                "could not release claim lock %s; it will expire: %s", self.name, problem
            )
