"""Define the work of processes that share one circuit breaker."""

import os
import time
from contextlib import suppress
from multiprocessing.synchronize import Barrier, Event
from pathlib import Path
from typing import NamedTuple

from analytics_worker.breakers.fail_open import FailOpenStore
from analytics_worker.breakers.redis import RedisStore
from analytics_worker.breakers.sqlite import SqliteStore
from analytics_worker.circuit_breaker import CircuitBreaker, CircuitOpenError


class StoreAddress(NamedTuple):
    """Where the state is: the URL of a Redis, or the path of a file."""

    kind: str
    address: str


def breaker_at(
    store_address: StoreAddress,
    fail_max: int = 5,
    reset_timeout: float = 600,
    probe_lease: float = 600,
) -> CircuitBreaker:
    """The same breaker in every process."""
    shared = (
        RedisStore(store_address.address)
        if store_address.kind == "redis"
        else SqliteStore(Path(store_address.address))
    )
    return CircuitBreaker(
        "service",
        fail_max=fail_max,
        reset_timeout=reset_timeout,
        probe_lease=probe_lease,
        store=FailOpenStore(shared),
    )


def fail() -> None:
    raise ConnectionError


def fail_often(store_address: StoreAddress, start: Barrier, times: int) -> None:
    """Fail this often through a breaker that never opens."""
    breaker = breaker_at(store_address, fail_max=10**9)
    start.wait()
    for _ in range(times):
        with suppress(ConnectionError):
            breaker.call(fail)


def call_until_open_and_on(store_address: StoreAddress, start: Barrier, refused: int) -> None:
    """Fail until the breaker opens, and be turned away this often."""
    breaker = breaker_at(store_address)
    start.wait()
    while refused:
        try:
            breaker.call(fail)
        except ConnectionError:
            continue
        except CircuitOpenError:
            refused -= 1


def probe_until_stopped(
    store_address: StoreAddress, start: Barrier, lock: str, stop: Event
) -> None:
    """Call a service that stays down; leave a note if two calls are ever in it at once."""
    breaker = breaker_at(store_address, reset_timeout=0.02)

    def service() -> None:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            Path(f"{lock}.two-at-once").touch()
            raise
        time.sleep(0.005)
        Path(lock).unlink()
        fail()

    start.wait()
    while not stop.is_set():
        try:
            breaker.call(service)
        except ConnectionError:
            pass
        except CircuitOpenError:
            stop.wait(0.002)  # refusals without a pause would keep the others from the store


def probe_until_killed(store_address: StoreAddress, probing: Event, probe_lease: float) -> None:
    """Get the probe and never report; to be killed."""
    with breaker_at(store_address, probe_lease=probe_lease).calling():
        probing.set()
        time.sleep(3600)
