"""Eight real processes share one breaker, on SQLite and on Redis: no call is lost or counted twice."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analytics_worker.circuit_breaker import CircuitBreaker, CircuitOpenError
from tests.support import breaker_processes as work
from tests.support.breaker_processes import StoreAddress, breaker_at, fail
from tests.support.redis_server import RedisServer
from tests.support.wait_until import wait_until

PROCESSES = 8

# Children that did not inherit pytest, and start fast.
context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.support.breaker_processes"])


@pytest.fixture(params=["sqlite", "redis"])
def store_address(request: pytest.FixtureRequest, tmp_path: Path) -> StoreAddress:
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis_server")
        return StoreAddress("redis", server.url)
    return StoreAddress("sqlite", str(tmp_path / "breakers.sqlite"))


@contextmanager
def running(
    job: Callable[..., None], store_address: StoreAddress, *arguments: Any
) -> Generator[None]:
    """Start the job in all processes at once; at the end, all must have succeeded."""
    start = context.Barrier(PROCESSES, timeout=60)
    processes = [
        context.Process(target=job, args=(store_address, start, *arguments))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    yield
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def let_probe(breaker: CircuitBreaker) -> None:
    breaker.force_open(0)


def test_every_failure_is_counted(store_address: StoreAddress):
    with running(work.fail_often, store_address, 100):
        pass
    stats = breaker_at(store_address).get_stats()
    assert stats["store"] == store_address.kind
    assert stats["failures"] == stats["failures_total"] == PROCESSES * 100


def test_it_trips_once_and_every_refusal_is_counted(store_address: StoreAddress):
    with running(work.call_until_open_and_on, store_address, 50):
        pass
    stats = breaker_at(store_address).get_stats()
    assert (stats["state"], stats["trips_total"], stats["failures_total"]) == ("open", 1, 5)
    assert stats["rejections_total"] == PROCESSES * 50


def test_while_the_service_stays_down_one_probe_at_a_time_reaches_it(
    store_address: StoreAddress, tmp_path: Path
):
    breaker = breaker_at(store_address)
    for _ in range(breaker.fail_max):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
    let_probe(breaker)
    stop, lock = context.Event(), str(tmp_path / "in-service")
    with running(work.probe_until_stopped, store_address, lock, stop):
        wait_until(lambda: breaker.get_stats()["failures_total"] >= 5 + 15, timeout=60)
        stop.set()
    assert not Path(f"{lock}.two-at-once").exists()
    assert breaker.get_stats()["trips_total"] == 1


def kill_a_probe(store_address: StoreAddress, probe_lease: float) -> None:
    """Leave the lease of a process that was killed during a probe."""
    probing = context.Event()
    holder = context.Process(
        target=work.probe_until_killed, args=(store_address, probing, probe_lease)
    )
    holder.start()
    assert probing.wait(timeout=60)
    assert holder.pid
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(timeout=60)


def test_a_killed_probe_keeps_its_place_during_the_lease(store_address: StoreAddress):
    breaker = breaker_at(store_address)
    let_probe(breaker)
    kill_a_probe(store_address, probe_lease=600)
    with pytest.raises(CircuitOpenError, match="a probe is under way"):
        breaker.call(fail)
    assert breaker.current_state == "half-open"


def test_a_killed_probe_frees_its_place_after_the_lease(store_address: StoreAddress):
    breaker = breaker_at(store_address)
    let_probe(breaker)
    kill_a_probe(store_address, probe_lease=0.2)
    wait_until(lambda: breaker.get_stats()["retry_after_seconds"] == 0, timeout=30)
    breaker.call(lambda: None)
    assert breaker.current_state == "closed"
