"""What a flow run costs: our worker beside Prefect's, on one server, in alternating phases.

``measure()`` starts a Prefect server on SQLite with a pool for each side. Only one side's worker is
awake at a time, so that the server's work counts for that side. Leaves nothing behind.
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

from benchmarks.table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker, stock_worker

ROUNDS, RUNS = 5, 3
BURST, LIMIT = 100, 4
PATIENCE_SECONDS = 900.0
MEGABYTE = 1024 * 1024


@dataclass
class Side:
    """One worker, its pool, and what was measured of it."""

    worker: Process
    work: Workspace
    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    burst_seconds: float = 0.0

    def tree(self) -> list[psutil.Process]:
        """The worker and everything below it."""
        root = psutil.Process(self.worker.pid)
        return [root, *root.children(recursive=True)]

    def lasting(self) -> list[psutil.Process]:
        """The worker and its template: they reap the processes of the runs and count their CPU."""
        names = ("worker.template", "prefect worker", "cli.main()")
        return [p for p in self.tree() if any(name in " ".join(p.cmdline()) for name in names)][:2]

    @contextmanager
    def awake(self) -> Generator[None]:
        """Let it work for a while."""
        self._signal(signal.SIGCONT)
        try:
            yield
        finally:
            self.sleep()

    def sleep(self) -> None:
        """Stop it, as if it were not there."""
        self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):  # a run's process that has just ended
                process.send_signal(number)

    def run(self, number: int) -> list[float]:
        """Seconds from the creation of each run to its end; one run after the other."""
        return [self._once() for _ in range(number)]

    def _once(self) -> float:
        run = self.work.submit("empty")
        state = self.work.wait(run, timeout=PATIENCE_SECONDS)
        created = self.work.read(run).created
        assert state.is_completed(), state
        assert created is not None
        return (state.timestamp - created).total_seconds()

    def burst(self) -> float:
        """Seconds from the first creation to the last end of many runs."""
        runs = [self.work.submit("empty") for _ in range(BURST)]
        states = self.work.wait_all(runs, timeout=PATIENCE_SECONDS)
        assert all(state.is_completed() for state in states)
        first = min(self.work.read(run).created for run in runs)  # pyright: ignore[reportArgumentType]
        return (max(state.timestamp for state in states) - first).total_seconds()


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """CPU time of processes and of their children that have ended."""
    times = [process.cpu_times() for process in processes]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def proportional_megabytes(processes: list[psutil.Process]) -> float:
    """Memory, shared pages counted in proportion."""
    return sum(process.memory_full_info().pss for process in processes) / MEGABYTE


def measure() -> list[Row]:
    """Empty runs, CPU, a burst, idle memory."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(Server(folder / "server"))
        ours = _side(stack, server, folder / "ours", our_worker)
        stock = _side(stack, server, folder / "stock", stock_worker)
        for _ in range(ROUNDS):
            for side in (ours, stock):
                _round(side, server)
        idle = proportional_megabytes([psutil.Process(server.pid), *ours.tree()])
        idle_stock = proportional_megabytes([psutil.Process(server.pid), *stock.tree()])
        for side in (ours, stock):
            with side.awake():
                side.burst_seconds = side.burst()
        return _rows(ours, stock, idle, idle_stock)


def _side(stack: ExitStack, server: Server, folder: Path, start: Callable[..., Process]) -> Side:
    folder.mkdir()
    work = Workspace(folder / "flows", server.api_url, folder.name, limit=LIMIT)
    stack.callback(work.close)
    environment = worker_environment(server, folder)
    side = Side(start(work.pool, environment, folder / "worker.log"), work)
    side.worker.start()
    stack.callback(_end, side)
    side.run(1)  # everything is imported, every cache is warm
    side.sleep()
    return side


def _end(side: Side) -> None:
    for process in reversed(side.tree()):
        os.kill(process.pid, signal.SIGKILL)


def _round(side: Side, server: Server) -> None:
    with side.awake():
        stack = [psutil.Process(server.pid), *side.lasting()]
        before = cpu_seconds(stack)
        side.seconds += side.run(RUNS)
        side.cpu_seconds.append((cpu_seconds(stack) - before) / RUNS)


def _rows(ours: Side, stock: Side, idle: float, idle_stock: float) -> list[Row]:
    against = "Prefect's worker, 1 s poll"
    median = statistics.median
    return [
        Row("empty run", median(ours.seconds), "s", against, median(stock.seconds), "≤ 0.15x"),
        Row(
            "CPU per empty run, whole stack",
            *(median(ours.cpu_seconds), "s", against, median(stock.cpu_seconds), "≤ 0.25x"),
        ),
        Row(
            f"burst of {BURST} at limit {LIMIT}",
            *(ours.burst_seconds, "s", against, stock.burst_seconds, "≤ 0.3x"),
        ),
        Row("idle memory, server + one pool", idle, "MB", against, idle_stock),
    ]
