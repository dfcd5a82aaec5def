"""What a circuit breaker adds to a call that works: the worker's on SQLite and Redis, and stock pybreaker.

Stock pybreaker keeps its state in memory, so it protects one process only: it is the lower limit,
not an alternative. The contestants take turns in every round, so that they share the machine's
load; the median round counts. Writes a temporary folder and runs a Redis of its own.
"""

import multiprocessing
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import median

import pybreaker

from analytics_worker.breakers.fail_open import FailOpenStore
from analytics_worker.breakers.redis import RedisStore
from analytics_worker.breakers.sqlite import SqliteStore
from analytics_worker.circuit_breaker import CircuitBreaker
from benchmarks._table import Row, render
from tests.support.redis_server import RedisServer

PROCESSES = 8
ROUNDS = 7
CALLS = {"stock": 2000, "SQLite": 1000, "Redis": 200}

Medians = dict[str, float]


def measure() -> list[Row]:
    """Microseconds per guarded call that works, in one process and in eight at once."""
    with RedisServer() as server, tempfile.TemporaryDirectory() as folder:
        costs = {n: _in_processes(n, Path(folder), server.url) for n in (1, PROCESSES)}
    return [
        Row(
            name=f"guarded call, {store}, {count} process{'es' if count > 1 else ''}",
            ours=cost[store],
            unit="µs",
            against="stock pybreaker, not shared",
            other=cost["stock"],
        )
        for count, cost in costs.items()
        for store in ("SQLite", "Redis")
    ]


def _in_processes(count: int, folder: Path, redis_url: str) -> Medians:
    """The mean over the processes of each one's median round."""
    context = multiprocessing.get_context("spawn")
    start = context.Barrier(count)
    pipes = [context.Pipe(duplex=False) for _ in range(count)]
    processes = [
        context.Process(target=_take_turns, args=(start, sender, folder, redis_url))
        for _, sender in pipes
    ]
    for process in processes:
        process.start()
    results: list[Medians] = [receiver.recv() for receiver, _ in pipes]
    for process in processes:
        process.join()
    return {name: sum(result[name] for result in results) / count for name in CALLS}


def _take_turns(start: Barrier, results: Connection, folder: Path, redis_url: str) -> None:
    """Run in each process: every contestant once per round, all processes at the same time."""
    shared = {
        "SQLite": CircuitBreaker(
            "service", store=FailOpenStore(SqliteStore(folder / "breakers.sqlite"))
        ),
        "Redis": CircuitBreaker("service", store=FailOpenStore(RedisStore(redis_url))),
    }
    contestants = {"stock": pybreaker.CircuitBreaker(), **shared}
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(ROUNDS):
        for name, breaker in contestants.items():
            start.wait()
            rounds[name].append(_microseconds_per_call(breaker.call, CALLS[name]))
    stores = {breaker.get_stats()["store"] for breaker in shared.values()}
    assert stores == {"sqlite", "redis"}, f"a store failed, so this measured {stores}"
    results.send({name: median(costs) for name, costs in rounds.items()})


def _microseconds_per_call(call: Callable[[Callable[[], None]], None], times: int) -> float:
    calls = 0

    def work() -> None:  # the cheapest call that can be counted: what remains is the breaker
        nonlocal calls
        calls += 1

    started = time.perf_counter()
    for _ in range(times):
        call(work)
    seconds = time.perf_counter() - started
    assert calls == times
    return seconds / times * 1e6


if __name__ == "__main__":
    print(render(measure()))
