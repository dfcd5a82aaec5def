"""One worker at a time has the turn to claim, also when the one that has it dies."""

import asyncio
import time
from uuid import uuid4

from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.worker.claim_lock import DECAY_SECONDS, ClaimLock
from tests.support.processes import Server


def test_rivals_have_it_one_after_the_other(prefect_server: Server):
    pool, inside, seen = uuid4().hex, [], []

    async def rival(number: int) -> None:
        async with get_client() as client:
            for _ in range(3):
                async with ClaimLock(client, pool).acquire() as deadline:
                    inside.append(number)
                    seen.append(len(inside))
                    await asyncio.sleep(0.05)
                    inside.remove(number)
                    assert deadline > time.monotonic()

    async def race() -> None:
        await asyncio.gather(*(rival(number) for number in range(3)))

    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        asyncio.run(race())
    assert seen == [1] * 9


def test_the_turn_of_a_dead_owner_frees_itself(prefect_server: Server):
    pool = uuid4().hex

    async def die_then_wait() -> float:
        async with get_client() as client:
            dead = ClaimLock(client, pool).acquire()
            await dead.__aenter__()
            started = time.monotonic()
            async with get_client() as other, ClaimLock(other, pool).acquire():
                return time.monotonic() - started

    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        waited = asyncio.run(die_then_wait())
    assert waited >= DECAY_SECONDS - 1
