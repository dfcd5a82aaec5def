"""A worker leaves the runs above its share to the other workers of the pool, for a moment."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID, uuid4

from prefect.client.orchestration import PrefectClient

from analytics_worker.worker import fair_share
from analytics_worker.worker.fair_share import FairShare


class Pool:
    """The workers of a pool, and how often they were read."""

    def __init__(self, *statuses: str) -> None:
        self.statuses, self.reads, self.woken = statuses, 0, asyncio.Event()

    async def read_workers_for_work_pool(self, _name: str) -> list[Any]:
        self.reads += 1
        return [SimpleNamespace(status=each) for each in self.statuses]

    def wake(self) -> None:
        self.woken.set()


def handed_out(count: int) -> list[Any]:
    return [SimpleNamespace(flow_run=SimpleNamespace(id=uuid4())) for _ in range(count)]


def choose(
    pool: Pool, due: list[Any], *, own: int = 0, limit: int | None = 40, seconds: float = 0.0
) -> list[Any]:
    async def ask() -> list[Any]:
        client = cast("PrefectClient", pool)
        return await FairShare("pool", pool.wake).choose(client, due, own, limit, seconds)

    return asyncio.run(ask())


def test_a_worker_takes_its_share_of_the_limit_in_order():
    due = handed_out(40)
    assert choose(Pool("ONLINE", "ONLINE"), due) == due[:20]
    assert choose(Pool("ONLINE", "ONLINE"), due[:25], own=15) == due[:5]
    assert choose(Pool("ONLINE", "ONLINE"), due[:5], own=25) == []


def test_without_a_limit_the_runs_are_divided():
    due = handed_out(7)
    assert choose(Pool("ONLINE", "ONLINE", "ONLINE"), due, own=100, limit=None) == due[:3]


def test_a_worker_alone_takes_everything():
    due = handed_out(40)
    assert choose(Pool("ONLINE", "OFFLINE", "OFFLINE"), due, own=5) == due
    assert choose(Pool(), due) == due


def test_a_single_run_is_taken_without_a_question():
    pool, due = Pool("ONLINE", "ONLINE"), handed_out(1)
    assert choose(pool, due) == due
    assert pool.reads == 0


def test_a_pool_of_one_slot_is_served_by_whoever_is_first():
    due = handed_out(1)
    assert choose(Pool("ONLINE", "ONLINE"), due, limit=1) == due


def test_what_nobody_took_is_taken_later(monkeypatch):
    share, due = FairShare("pool", lambda: None), handed_out(6)
    now = time.monotonic()
    assert share.within(due, 2, 5.0) == due[:2]
    monkeypatch.setattr(fair_share.time, "monotonic", lambda: now + 3)
    new = handed_out(2)
    assert share.within([*due[2:], *new], 0, 5.0) == []
    monkeypatch.setattr(fair_share.time, "monotonic", lambda: now + 6)
    assert share.within([*due[2:], *new], 0, 5.0) == due[2:]


def test_runs_that_others_took_are_forgotten():
    share, (first, second) = FairShare("pool", lambda: None), handed_out(2)
    share.within([first, second], 0, 0.0)
    share.within([second], 0, 60.0)
    assert share.within([first, second], 0, 0.0) == [first, second]
    left: set[UUID] = set(share._left)  # nothing may grow
    assert left == {first.flow_run.id, second.flow_run.id}


def test_the_worker_looks_again_after_a_moment(monkeypatch):
    monkeypatch.setattr(fair_share, "LEAVE_SECONDS", 0.01)
    pool, due = Pool("ONLINE", "ONLINE"), handed_out(4)

    async def ask_and_wait() -> None:
        client = cast("PrefectClient", pool)
        share = FairShare("pool", pool.wake)
        assert len(await share.choose(client, due, 0, 4, 0.0)) == 2
        await pool.woken.wait()

    asyncio.run(asyncio.wait_for(ask_and_wait(), 10))
