"""What a month of history costs: a server with 90,000 runs beside one with a hundred.

Both have the product's worker. In turns: how long a run waits for its start, and how long the API takes
for what workers, exporter and UI ask most. The long history grows step by step, for the curve.
"""

import statistics
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from benchmarks._scaling_plot import Curve, keep
from benchmarks._seed_runs import seed
from benchmarks._servers import MeasuredServer, kinds, measured_server
from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import our_worker

FEW, LENGTHS, DAYS = 100, (1_000, 10_000, 90_000), 30.0
FLOWS = ("empty", "ok", "asynchronous", "failing", "with_subflow")
STARTS, CALLS = 12, 20
PAGE = 50


@dataclass
class SeededServer:
    """One server, its worker's pool, and a run to look at."""

    server: MeasuredServer
    work: Workspace
    runs: list[UUID]
    length: int = 0

    def grow(self, length: int) -> None:
        """Make the history so many runs long."""
        share = (length - self.length) / LENGTHS[-1]
        seed(self.server.engine(), self.runs, length - self.length, DAYS * share)
        self.length = length

    def start_lag(self) -> float:
        """Seconds from the creation of a run to its start."""
        run = self.work.submit("empty")
        self.work.wait(run)
        read = self.work.read(run)
        assert read.start_time
        assert read.created
        return (read.start_time - read.created).total_seconds()

    def calls(self) -> Generator[float]:
        """Seconds of each of the calls."""
        for method, path, body in _asked_most(self.work.pool, self.runs[0]):
            started = time.perf_counter()
            answer = self.work.client.request(method, path, json=body)  # pyright: ignore[reportArgumentType]
            yield time.perf_counter() - started
            assert answer.is_success


def measure() -> list[Row]:
    """Start lag and 95th percentile of the API, by kind of server."""
    return [row for kind in kinds() for row in _with_history(kind)]


def _with_history(kind: str) -> list[Row]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        short = stack.enter_context(_seeded_server(kind, folder / "a"))
        long = stack.enter_context(_seeded_server(kind, folder / "b"))
        short.grow(FEW)
        measured: list[tuple[dict[str, float], dict[str, float]]] = []
        for length in LENGTHS:
            long.grow(length)
            measured.append(_in_turns(short, long))
    for what in measured[0][0]:
        points = [(FEW, measured[0][0][what])]
        points += [(n, m[1][what]) for n, m in zip(LENGTHS, measured, strict=True)]
        keep(Curve("runs", "runs of history", f"{what}, {kind}", "ms", points))
    few, many = measured[-1]
    return [
        Row(
            f"{what} with {LENGTHS[-1]:,} runs of history, server on {kind}",
            *(many[what], "ms", f"{FEW} runs", few[what], "≤ 1.2x"),
        )
        for what in few
    ]


@contextmanager
def _seeded_server(kind: str, folder: Path) -> Generator[SeededServer]:
    folder.mkdir()
    with measured_server(kind, folder) as server:
        work = Workspace(folder / "flows", server.api.api_url, "pool", limit=4)
        environment = worker_environment(server.api, folder)
        with our_worker("pool", environment, folder / "worker.log") as worker:
            runs = [work.submit(name) for name in FLOWS]
            work.wait_all(runs, timeout=120)
            yield SeededServer(server, work, runs)
            worker.end()
        work.close()


def _in_turns(short: SeededServer, long: SeededServer) -> tuple[dict[str, float], dict[str, float]]:
    lags = [(short.start_lag(), long.start_lag()) for _ in range(STARTS)]
    calls = [(list(short.calls()), list(long.calls())) for _ in range(CALLS)]
    first, second = (
        {
            "start lag": 1000 * statistics.median(pair[n] for pair in lags),
            "API, 95th percentile": 1000 * _p95([s for pair in calls for s in pair[n]]),
        }
        for n in (0, 1)
    )
    return first, second


def _p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def _asked_most(pool: str, run: UUID) -> list[tuple[str, str, dict[str, Any] | None]]:
    """What the worker, the exporter, the status command and the pages of the UI ask."""
    now = datetime.now(UTC)
    day = {"after_": (now - timedelta(days=1)).isoformat()}
    last_day = {"flow_runs": {"expected_start_time": day}}
    ended = {"flow_runs": {"end_time": {"after_": (now - timedelta(minutes=10)).isoformat()}}}
    busy = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
    of_run = {"flow_runs": {"id": {"any_": [str(run)]}}}
    newest = {"sort": "START_TIME_DESC", "limit": PAGE}
    of_pool = {"work_pools": {"name": {"any_": [pool]}}}
    return [
        ("POST", f"/work_pools/{pool}/get_scheduled_flow_runs", {"limit": 10}),
        ("POST", "/flow_runs/filter", {**of_pool, "flow_runs": busy}),
        ("POST", "/flow_runs/filter", {**ended, "sort": "END_TIME_DESC", "limit": PAGE}),
        ("POST", "/flow_runs/filter", {**newest}),
        ("POST", "/flow_runs/filter", {**last_day, **newest}),
        ("POST", "/flow_runs/count", {**ended}),
        ("POST", "/flow_runs/paginate", {**last_day, "sort": "START_TIME_DESC", "limit": PAGE}),
        ("GET", f"/flow_runs/{run}", None),
        ("GET", f"/flow_runs/{run}/graph-v2", None),
        ("POST", "/task_runs/filter", {**of_run, "limit": PAGE}),
        ("POST", "/logs/filter", {"logs": {"flow_run_id": {"any_": [str(run)]}}, "limit": PAGE}),
        ("POST", "/deployments/filter", {"limit": PAGE}),
        ("POST", "/work_pools/filter", {"limit": PAGE}),
    ]
