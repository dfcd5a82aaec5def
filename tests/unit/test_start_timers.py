"""A pool is woken once when a run is due, and for a look at runs that are due already."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from analytics_worker.worker.start_timers import StartTimers


class Woken:
    """The calls of a pool's `wake`."""

    def __init__(self) -> None:
        self.calls: list[bool] = []
        self.is_due = asyncio.Event()

    def __call__(self, *, for_work: bool = False) -> None:
        self.calls.append(for_work)
        self.is_due.set()


def test_a_run_wakes_its_pool_once_when_it_is_due():
    async def expect_it_twice() -> Woken:
        timers, woken, run = StartTimers(), Woken(), uuid4()
        due = datetime.now(UTC) + timedelta(milliseconds=200)
        for _ in range(2):
            assert timers.set(run, due, woken) > 0
        assert woken.calls == []
        await woken.is_due.wait()
        assert datetime.now(UTC) >= due
        later = datetime.now(UTC) + timedelta(milliseconds=100)
        woken.is_due.clear()
        timers.set(run, later, woken)  # put off, or scheduled again
        await woken.is_due.wait()
        return woken

    assert asyncio.run(asyncio.wait_for(expect_it_twice(), 30)).calls == [True, True]


def test_a_run_that_is_due_already_is_looked_for_each_time():
    woken = Woken()
    for _ in range(2):
        assert StartTimers().set(uuid4(), datetime.now(UTC) - timedelta(seconds=1), woken) < 0
    assert woken.calls == [False, False]
