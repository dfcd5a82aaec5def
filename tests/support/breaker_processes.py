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


class Place(NamedTuple):
    """Where the state is: the URL of a Redis, or the path of a file."""

    kind: str
    address: str


def breaker_at(
    place: Place, fail_max: int = 5, reset_timeout: float = 600, probe_lease: float = 600
) -> CircuitBreaker:
    """The same breaker in every process."""
    shared = (
        RedisStore(place.address) if place.kind == "redis" else SqliteStore(Path(place.address))
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


def fail_often(place: Place, start: Barrier, times: int) -> None:
    """Fail this often through a breaker that never opens."""
    breaker = breaker_at(place, fail_max=10**9)
    start.wait()
    for _ in range(times):
        with suppress(ConnectionError):
            breaker.call(fail)


def call_until_open_and_on(place: Place, start: Barrier, refused: int) -> None:
    """Fail until the breaker opens, and be turned away this often."""
    breaker = breaker_at(place)
    start.wait()
    while refused:
        try:
            breaker.call(fail)
        except ConnectionError:
            continue
        except CircuitOpenError:
            refused -= 1


def probe_until_stopped(place: Place, start: Barrier, lock: str, stop: Event) -> None:
    """Call a service that stays down; leave a note if two calls are ever in it at once."""
    breaker = breaker_at(place, reset_timeout=0.02)

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
        with suppress(ConnectionError, CircuitOpenError):
            breaker.call(service)


def probe_for_ever(place: Place, probing: Event, probe_lease: float) -> None:
    """Get the probe and never report; to be killed."""
    with breaker_at(place, probe_lease=probe_lease).calling():
        probing.set()
        time.sleep(3600)
