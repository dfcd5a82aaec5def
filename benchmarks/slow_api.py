"""A burst of runs with a slow API, beside Prefect's worker: each request takes that much longer.

Each side has a pool and a proxy before the same server, which delays what the worker and the processes of its runs
request. One side after the other, each warm. How often our worker claimed a run is counted, too.
"""

import signal
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from uuid import UUID

from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.ports import free_port
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker, stock_worker
from tests.support.slow_proxy import SlowProxy

DELAYS = (0.2, 1.0, 3.0)
RUNS = 6
BURST_SECONDS = 900.0
HOST = "127.0.0.1"


class Side:
    """A worker behind a proxy, and its pool."""

    def __init__(
        self,
        stack: ExitStack,
        server: Server,
        folder: Path,
        port: int,
        start: Callable[..., Process],
    ) -> None:
        """Start the worker, and let it execute a run: everything is imported then."""
        folder.mkdir()
        self._work = Workspace(folder / "flows", server.api_url, folder.name, limit=RUNS)
        stack.callback(self._work.close)
        self._proxy = stack.enter_context(SlowProxy((HOST, port), (HOST, server.port)))
        url = f"http://{HOST}:{port}/api"
        environment = worker_environment(server, folder) | {"PREFECT_API_URL": url}
        self._worker = start(self._work.pool, environment, folder / "worker.log")
        self._worker.start()
        stack.callback(self._worker.end, signal.SIGKILL)
        self._seconds([self._work.submit("empty")])

    def burst(self, delay: float) -> tuple[float, float]:
        """Return the seconds from the first creation to the last end, and the claims per run."""
        self._proxy.delay = delay
        try:
            runs = [self._work.submit("empty") for _ in range(RUNS)]
            seconds = self._seconds(runs)
        finally:
            self._proxy.delay = 0.0
        client = self._work.client
        names = [state.name for run in runs for state in client.read_flow_run_states(run)]
        return seconds, names.count("Pending") / RUNS

    def _seconds(self, runs: list[UUID]) -> float:
        states = self._work.wait_all(runs, timeout=BURST_SECONDS)
        assert {state.name for state in states} == {"Completed"}, states
        created = min(run.created for run in map(self._work.read, runs) if run.created)
        return (max(state.timestamp for state in states) - created).total_seconds()


def measure() -> list[Row]:
    """Return the seconds of a burst for each delay, and how often each run was claimed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ports = [free_port(), free_port()]
        hosts = ",".join(f"{HOST}:{port}" for port in ports)
        server = stack.enter_context(Server(folder / "server", SERVER_ALLOWED_HOSTS=hosts))
        ours = Side(stack, server, folder / "ours", ports[0], our_worker)
        stock = Side(stack, server, folder / "stock", ports[1], stock_worker)
        return [
            row for delay in DELAYS for row in _rows(delay, ours.burst(delay), stock.burst(delay))
        ]


def _rows(delay: float, ours: tuple[float, float], stock: tuple[float, float]) -> list[Row]:
    what = f"burst of {RUNS}, each API request {delay:g} s longer"
    against = "Prefect's worker, 1 s poll"
    return [
        Row(what, ours[0], "s", against, stock[0], "≤ 1x"),
        Row("… claims of each run", ours[1], "claims", against, stock[1], "≤ 1.05 claims"),
    ]
