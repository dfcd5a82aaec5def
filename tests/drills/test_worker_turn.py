"""One worker at a time has the turn to claim, also when the one that has it dies."""

import asyncio
import time
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker.worker import claim_lock
from analytics_worker.worker.claim_lock import DECAY_SECONDS, ClaimLock
from tests.support.processes import Server


def test_rivals_have_it_one_after_the_other(prefect_server: Server):
    pool, inside, seen = uuid4().hex, [], []

    async def rival(number: int) -> None:
        async with get_client() as client:
            for _ in range(3):
                lock = ClaimLock(client, pool)
                async with lock.acquire():
                    inside.append(number)
                    seen.append(len(inside))
                    await asyncio.sleep(0.05)
                    inside.remove(number)
                    assert lock.expires_at > time.monotonic()

    async def race() -> None:
        await asyncio.gather(*(rival(number) for number in range(3)))

    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        asyncio.run(race())
    assert seen == [1] * 9


def test_the_last_owner_lets_those_that_wait_have_it_first(prefect_server: Server):
    pool, owners = uuid4().hex, list[str]()

    async def claim(name: str, times: int, *, start: asyncio.Event) -> None:
        async with get_client() as client:
            lock = ClaimLock(client, pool)
            await lock.prepare()
            for _ in range(times):
                async with lock.acquire(workers=2):
                    owners.append(name)
                    start.set()
                    await asyncio.sleep(0.5)

    async def race() -> None:
        first_has_it = asyncio.Event()
        first = asyncio.create_task(claim("first", 6, start=first_has_it))
        await first_has_it.wait()
        await asyncio.gather(first, claim("second", 3, start=asyncio.Event()))

    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        asyncio.run(race())
    assert owners == ["first", "second"] * 3 + ["first"] * 3


def test_the_turn_of_a_dead_owner_frees_itself(
    prefect_server: Server, monkeypatch: pytest.MonkeyPatch
):
    pool = uuid4().hex
    monkeypatch.setattr(claim_lock, "RENEW_SECONDS", 1000.0)  # the dead renew nothing

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


def test_the_turn_is_kept_for_as_long_as_it_is_used(prefect_server: Server):
    pool = uuid4().hex

    async def use_it_long() -> None:
        async with get_client() as client, get_client() as other:
            lock, rival = ClaimLock(client, pool), ClaimLock(other, pool)
            async with lock.acquire():
                wants = asyncio.create_task(rival.acquire().__aenter__())
                await asyncio.sleep(1.5 * DECAY_SECONDS)
                assert not wants.done()
                assert lock.expires_at > time.monotonic()
            await asyncio.wait_for(wants, DECAY_SECONDS)

    with temporary_settings({PREFECT_API_URL: prefect_server.api_url}):
        asyncio.run(use_it_long())
