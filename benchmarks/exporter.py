"""What the metrics cost: scrapes and polls by length of the history, and the whole stack at rest.

The history is written straight into the databases of a Prefect server and an exporter of its own, as
if both had been there for thirty days.
"""

import sqlite3
import statistics
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import UUID, uuid4

import psutil

from analytics_worker.exporter.collectors import flow_runs, task_runs
from analytics_worker.exporter.counter_events import CountedItem, Increment
from analytics_worker.exporter.counter_store import Store
from benchmarks._idle_stack import idle_stack
from benchmarks._table import Row
from tests.support.exporter_process import Exporter, exporter_of
from tests.support.processes import Server
from tests.support.seeded_runs import seeder
from tests.support.wait_until import wait_until

LENGTHS = (1_000, 10_000, 100_000)
DAYS = 30
DEPLOYMENTS = 20
SCRAPES, POLLS = 50, 8
IDLE_SECONDS = 10.0


def measure() -> list[Row]:
    """Grow the history step by step and measure at each length."""
    scrapes: list[float] = []
    polls: list[float] = []
    with TemporaryDirectory() as directory, Server(Path(directory) / "server") as server:
        with seeder(server.api_url) as seeded:
            seeded.run("completed")
        for length in LENGTHS:
            grow(server.home, Path(directory) / "state", length)
            with exporter_of(Path(directory), server.api_url) as exporter:
                wait_until(lambda found=exporter: found.samples("exporter_up") == {(): 1.0}, 60)
                polls.append(poll(exporter))
                scrapes.append(scrape(exporter))
        with exporter_of(Path(directory), server.api_url, EXPORTER_POLL_SECONDS="5") as exporter:
            idle = at_rest(exporter.pid)
    return [*_rows("scrape", scrapes, "≤ 20 ms"), *_rows("poll", polls, ""), *idle, *idle_stack()]


def _rows(what: str, values: list[float], goal: str) -> list[Row]:
    first, *others = [
        Row(f"{what}, {length:,} runs of history", value * 1000, "ms", goal=goal)
        for length, value in zip(LENGTHS, values, strict=True)
    ]
    against = f"{LENGTHS[0]:,} runs"
    return [
        first,
        *(Row(row.name, row.ours, "ms", against, first.ours, row.goal) for row in others),
    ]


def scrape(exporter: Exporter) -> float:
    """Median seconds of one scrape, the connection included."""
    taken: list[float] = []
    for _ in range(SCRAPES):
        started = time.perf_counter()
        assert "analytics_flow_runs_total" in exporter.get()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def poll(exporter: Exporter) -> float:
    """Median seconds of one poll of the API."""
    taken: dict[float, float] = {}

    def enough() -> bool:
        taken.update(
            dict.fromkeys(
                exporter.samples("exporter_poll_duration_seconds", source="prefect").values(), 0.0
            )
        )
        return len(taken) >= POLLS

    wait_until(enough, 60, 0.1)
    return statistics.median(taken)


def at_rest(pid: int) -> list[Row]:
    """Processor and memory of an exporter that has nothing to count."""
    process = psutil.Process(pid)
    before = sum(process.cpu_times()[:2])
    time.sleep(IDLE_SECONDS)
    share = (sum(process.cpu_times()[:2]) - before) / IDLE_SECONDS
    return [
        Row("exporter at rest, processor", share * 100, "%"),
        Row("exporter at rest, memory (PSS)", process.memory_full_info().pss / 1e6, "MB"),
    ]


def grow(home: Path, state: Path, length: int) -> None:
    """Make the history of server and exporter so many runs long."""
    now = time.time()
    with closing(sqlite3.connect(home / "prefect.db", timeout=30)) as database:
        present = database.execute("select count(*) from flow_run").fetchone()[0]
        missing = range(present, length)
        ends = [now - 900 - (number + 1) * DAYS * 86_400 / LENGTHS[-1] for number in missing]
        runs = _copies(database, "flow_run", ends)
        tasks = _copies(database, "task_run", ends)
        database.commit()
    store = Store(state / "exporter.sqlite")
    marks = {f"{what}.reached": now for what in ("flow_runs", "task_runs")}
    store.apply("flow_runs", map(_run, range(length), runs, ends), marks)
    store.apply("task_runs", map(_task, range(length), tasks, ends))
    store.close()


def _copies(database: sqlite3.Connection, table: str, ends: list[float]) -> list[UUID]:
    """As many copies of the oldest row as there are ends; the ids of their states."""
    found = database.execute(f"select * from {table} order by rowid limit 1")  # noqa: S608  # two fixed names
    names = [column[0] for column in found.description]
    template = dict(zip(names, found.fetchone(), strict=True))
    states = [uuid4() for _ in ends]
    rows = ({**template, **_own(state, end)} for state, end in zip(states, ends, strict=True))
    placeholders = ", ".join(f":{name}" for name in names)
    database.executemany(f"insert into {table} values ({placeholders})", rows)  # noqa: S608
    return states


def _own(state: UUID, end: float) -> dict[str, object]:
    at = datetime.fromtimestamp(end, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
    times = dict.fromkeys(("created", "updated", "start_time", "end_time", "state_timestamp"), at)
    return {
        **times,
        "expected_start_time": at,
        "id": str(uuid4()),
        "state_id": str(state),
        "name": "seeded",
        "dynamic_key": str(state),
        "idempotency_key": str(state),
    }


def _run(number: int, state: UUID, end: float) -> CountedItem:
    where = (f"flow-{number % DEPLOYMENTS}/pool", "pool")
    increments = (
        Increment(flow_runs.RUNS, (*where, "Completed" if number % 7 else "Failed")),
        Increment.observe(flow_runs.DURATION, where, 3.0),
        Increment.observe(flow_runs.QUEUE_WAIT, where, 1.0),
    )
    return CountedItem(state.bytes, end, increments)


def _task(number: int, state: UUID, end: float) -> CountedItem:
    where = (f"flow-{number % DEPLOYMENTS}/pool", f"task-{number % 40}")
    increments = (
        Increment(task_runs.RUNS, (*where, "Completed")),
        Increment.observe(task_runs.DURATION, where, 1.0),
    )
    return CountedItem(state.bytes, end, increments)
