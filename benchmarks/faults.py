"""Five faults: jobs completed per minute after the fault against before, beside procrastinate.

One PostgreSQL holds the database of the Prefect server, the queue of procrastinate, and the table into which each job
inserts its number. Each fault hits both sides at the same instant, on a fresh stack. Jobs are queued at a fixed rate
below what both can do, also during the fault, so that 100 % means: as before, and more: caught up. Supervisors start
what ended again. Jobs retry the insert; procrastinate also has its documented task for jobs of dead workers. A number
that is in the table twice is doubled; a job that has not completed when all had time to is lost.
"""

import os
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from benchmarks._fault_sides import Side, other_side, our_side
from benchmarks._faults import FAULTS, Fault
from benchmarks._queue_app import create_database
from benchmarks._table import Row
from benchmarks._warehouse import execute
from tests.support.contrib_postgres import MISSING, ContribPostgres, installed
from tests.support.wait_until import wait_until

SECONDS = float(os.environ.get("FAULTS_SECONDS", "60"))
"""How long jobs are counted before a fault and after it."""
RATE = float(os.environ.get("FAULTS_RATE", "2"))
"""Jobs per second that are queued on each side."""
ONLY = os.environ.get("FAULTS_ONLY", "")
WARM_UP_JOBS, WARM_UP_SECONDS, DRAIN_SECONDS = 5, 240, 240
CONNECTIONS = "80"
TABLE = "create table jobs (side text, number int, at timestamptz default clock_timestamp())"
DOUBLED = "select number from jobs where side = %s group by number having count(*) > 1"


@dataclass(frozen=True)
class Outcome:
    """What one side did with its jobs around one fault."""

    percent: float
    """Jobs completed per minute after the fault, of those before it."""
    lost: int
    doubled: int


class Producer:
    """Queue jobs at a fixed rate until the block ends; those that are overdue at once."""

    def __init__(self, side: Side) -> None:
        self.count = 0
        self._side = side
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._produce, daemon=True)

    def __enter__(self) -> None:
        """Start."""
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        """Stop after the job that is being queued."""
        self._ended.set()
        self._thread.join(DRAIN_SECONDS)
        assert not self._thread.is_alive(), f"{self._side.name}: a job could not be queued"

    def _produce(self) -> None:
        started = time.monotonic()
        while not self._ended.wait(started + self.count / RATE - time.monotonic()):
            self._side.submit(self.count)
            self.count += 1


def measure() -> list[Row]:
    """Return the rows of all faults; none if this host has no PostgreSQL for a Prefect server."""
    if not installed():
        print(f"skipped: {MISSING}")
        return []
    chosen = {name: fault for name, fault in FAULTS.items() if ONLY in name}
    return [row for name, fault in chosen.items() for row in _rows(name, *_outcomes(fault))]


def _rows(name: str, ours: Outcome, other: Outcome) -> list[Row]:
    against = "procrastinate"
    pairs = (("lost", ours.lost, other.lost), ("doubled", ours.doubled, other.doubled))
    what = f"{name}: completed per minute, after ÷ before"
    return [
        Row(what, ours.percent, "%", against, other.percent, "≥ 100 %"),
        *(Row(f"… {label}", a, "jobs", against, b, "≤ 0 jobs") for label, a, b in pairs),
    ]


def _outcomes(fault: Fault) -> list[Outcome]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        settings = {"max_connections": CONNECTIONS}
        server = ContribPostgres(folder / "pg", durable=True, **settings)
        postgres = stack.enter_context(server)
        warehouse = create_database(postgres, "warehouse")
        with closing(psycopg2.connect(warehouse)) as connection:
            execute(connection, TABLE)
            connection.commit()
        sides: list[Side] = [
            stack.enter_context(our_side(postgres, warehouse, folder)),
            stack.enter_context(other_side(postgres, warehouse, folder)),
        ]
        producers = [Producer(side) for side in sides]
        began, ended = _hit(fault, postgres, sides, producers)
        _drain(sides, producers)
        return [
            _outcome(side, producer, warehouse, (began, ended))
            for side, producer in zip(sides, producers, strict=True)
        ]


def _hit(
    fault: Fault, postgres: ContribPostgres, sides: Sequence[Side], producers: Sequence[Producer]
) -> tuple[float, float]:
    """Return when the fault began and ended, with enough jobs around it."""
    with ExitStack() as stack:
        for producer in producers:
            stack.enter_context(producer)
        for side in sides:
            wait_until(lambda: _number_completed(side) >= WARM_UP_JOBS, WARM_UP_SECONDS, 0.5)  # noqa: B023  # used at once
        time.sleep(SECONDS)
        began = time.time()
        fault(postgres, sides)
        ended = time.time()
        time.sleep(SECONDS)
    return began, ended


def _drain(sides: Sequence[Side], producers: Sequence[Producer]) -> None:
    """Wait until all jobs have completed, or had time to."""
    until = time.monotonic() + DRAIN_SECONDS
    while time.monotonic() < until:
        pairs = zip(sides, producers, strict=True)
        if all(_number_completed(side) >= producer.count for side, producer in pairs):
            return
        time.sleep(1)


def _number_completed(side: Side) -> int:
    return sum(bool(instants) for instants in side.completed().values())


def _outcome(side: Side, producer: Producer, warehouse: str, fault: tuple[float, float]) -> Outcome:
    began, ended = fault
    completed = side.completed()
    instants = [at for found in completed.values() for at in found]
    before = sum(began - SECONDS <= at < began for at in instants)
    after = sum(ended <= at < ended + SECONDS for at in instants)
    assert before, f"{side.name} completed no job in {SECONDS:g} s before the fault"
    with closing(psycopg2.connect(warehouse)) as connection:
        doubled = len(execute(connection, DOUBLED, (side.name,)))
    lost = sum(not completed.get(number) for number in range(producer.count))
    return Outcome(100 * after / before, lost, doubled)
