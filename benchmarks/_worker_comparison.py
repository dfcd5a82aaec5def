"""Measure the cost of a flow run: our worker beside Prefect's, on one server, in alternating phases.

Starts a Prefect server with a pool for each side. Only one side's worker is awake at a time, so that
the server's work counts for that side. Leaves nothing behind.
"""

import os
import signal
import statistics
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from benchmarks._servers import MeasuredServer, measured_server
from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, our_worker, stock_worker

ROUNDS, RUNS = 5, 2
BURSTS, LIMIT = {"SQLite": 100, "PostgreSQL": 40}, 4
"""Prefect's worker takes two seconds per run, so the burst on the second server is shorter."""
ACQUIRE_TIMEOUT_SECONDS = 900.0
MEGABYTE = 1024 * 1024


@dataclass
class Side:
    """One worker, its pool, and its measurements."""

    worker: Process
    work: Workspace
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    burst_runs: int = 0
    burst_seconds: float = 0.0

    def tree(self) -> list[psutil.Process]:
        """Return the worker and its descendants."""
        root = psutil.Process(self.worker.pid)
        return [root, *root.children(recursive=True)]

    def long_lived(self) -> list[psutil.Process]:
        """Return the worker and its fork server, which reap the processes of the runs and count their CPU time."""
        names = (
            "analytics_worker.worker.fork_server.process",
            "prefect worker",
            "analytics_worker.cli import main",
        )
        return [p for p in self.tree() if any(name in " ".join(p.cmdline()) for name in names)][:2]

    @contextmanager
    def awake(self) -> Generator[None]:
        """Resume it until the block ends."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.sleep()

    def sleep(self) -> None:
        """Stop all its processes."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):  # a run's process that has just ended
                process.send_signal(number)

    def run(self, number: int) -> list[float]:
        """Return the seconds from the creation of each run to its end, one run after the other."""
        return [self._once() for _ in range(number)]

    def _once(self) -> float:
        run = self.work.submit("empty")
        state = self.work.wait(run, timeout=ACQUIRE_TIMEOUT_SECONDS)
        created = self.work.read(run).created
        assert state.is_completed(), state
        assert created is not None
        return (state.timestamp - created).total_seconds()

    def burst(self, number: int) -> None:
        """Record the seconds from the first creation to the last end of many runs."""
        runs = [self.work.submit("empty") for _ in range(number)]
        states = self.work.wait_all(runs, timeout=ACQUIRE_TIMEOUT_SECONDS)
        assert all(state.is_completed() for state in states)
        first = min(self.work.read(run).created for run in runs)  # pyright: ignore[reportArgumentType]
        self.burst_runs = number
        self.burst_seconds = (max(state.timestamp for state in states) - first).total_seconds()


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the CPU time of processes and of their ended children, in seconds."""
    times = [process.cpu_times() for process in processes]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def proportional_megabytes(processes: list[psutil.Process]) -> float:
    """Return the memory in MB, with shared pages counted in proportion."""
    return sum(process.memory_full_info().pss for process in processes) / MEGABYTE


def compare_workers(kind: str) -> list[Row]:
    """Measure empty runs, CPU, a burst and idle memory."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(measured_server(kind, folder))
        ours = _side(stack, server, folder / "ours", our_worker)
        stock = _side(stack, server, folder / "stock", stock_worker)
        for _ in range(ROUNDS):
            for side in (ours, stock):
                _round(side, server)
        idle = proportional_megabytes([*server.processes(), *ours.tree()])
        idle_stock = proportional_megabytes([*server.processes(), *stock.tree()])
        for side in (ours, stock):
            with side.awake():
                side.burst(BURSTS[kind])
        return _rows(f"server on {kind}", ours, stock, idle, idle_stock)


def _side(
    stack: ExitStack, server: MeasuredServer, folder: Path, start: Callable[..., Process]
) -> Side:
    folder.mkdir()
    work = Workspace(folder / "flows", server.api.api_url, folder.name, limit=LIMIT)
    stack.callback(work.close)
    environment = worker_environment(server.api, folder)
    side = Side(start(work.pool, environment, folder / "worker.log"), work)
    side.worker.start()
    stack.callback(_end, side)
    side.run(1)  # everything is imported, every cache is warm
    side.sleep()
    return side


def _end(side: Side) -> None:
    for process in reversed(side.tree()):
        os.kill(process.pid, signal.SIGKILL)


def _round(side: Side, server: MeasuredServer) -> None:
    with side.awake():
        before = cpu_seconds([*server.processes(), *side.long_lived()])
        side.seconds += side.run(RUNS)
        used = cpu_seconds([*server.processes(), *side.long_lived()]) - before
        side.cpu_seconds.append(used / RUNS)


def _rows(where: str, ours: Side, stock: Side, idle: float, idle_stock: float) -> list[Row]:
    against = "Prefect's worker, 1 s poll"
    median = statistics.median
    return [
        Row(
            f"empty run, created → Completed, {where}",
            *(median(ours.seconds), "s", against, median(stock.seconds), "≤ 0.15x"),
        ),
        Row(
            f"CPU per empty run, whole stack, {where}",
            *(median(ours.cpu_seconds), "s", against, median(stock.cpu_seconds), "≤ 0.25x"),
        ),
        Row(
            f"burst of {ours.burst_runs} at limit {LIMIT}, {where}",
            *(ours.burst_seconds, "s", against, stock.burst_seconds, "≤ 0.3x"),
        ),
        Row(f"idle memory of server and one pool, {where}", idle, "MB", against, idle_stock),
    ]
