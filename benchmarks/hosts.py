"""A burst of runs on two hosts against one, with a limit of 20 runs for each host.

Each host is a worker with folders of its own; the pool's limit is 20 with one of them and 40 with both, as an
operator sets it. The server is on PostgreSQL where there is one that it can use. All share the cores of this machine,
so runs wait, as for a query, and use little CPU: this measures whether two workers get in each other's way when
they claim runs, and not how much work two machines do. One burst after the other, in turns.
"""

import os
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks._servers import kinds, measured_server
from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker
from tests.support.wait_until import wait_until

LIMIT = int(os.environ.get("HOSTS_LIMIT", "20"))
SECONDS = 10.0
RUNS = int(os.environ.get("HOSTS_RUNS", "200"))
ROUNDS = int(os.environ.get("HOSTS_ROUNDS", "2"))
START_SECONDS, BURST_SECONDS = 120, 900.0


def measure() -> list[Row]:
    """Return the seconds of a burst on two hosts, beside one."""
    kind = kinds()[-1]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(measured_server(kind, folder)).api
        work = Workspace(folder / "flows", server.api_url, "benchmark", limit=LIMIT)
        hosts = [_host(work, server, folder, number) for number in (1, 2)]
        rounds = [[_burst(work, hosts[:count]) for count in (1, 2)] for _ in range(ROUNDS)]
        work.close()
    one, two = (statistics.median(seconds) for seconds in zip(*rounds, strict=True))
    what = f"burst of {RUNS} runs of {SECONDS:g} s at limit {LIMIT} per host, server on {kind}"
    return [Row(f"{what}: two hosts", two, "s", "one host", one, "≤ 0.625x")]


def _host(work: Workspace, server: Server, folder: Path, number: int) -> Process:
    own = folder / f"host{number}"
    own.mkdir()
    code = str(work.directory)
    environment = worker_environment(server, own, WORKER_CODE_FOLDERS=code)
    return our_worker(work.pool, environment, own / "worker.log", "--name", f"host{number}")


def _burst(work: Workspace, hosts: list[Process]) -> float:
    """Return the seconds from the first creation to the last end; no run is lost or starts twice."""
    work.allow(LIMIT * len(hosts))
    with ExitStack() as stack:
        for host in hosts:
            stack.enter_context(host)
        _warm_up(work, len(hosts))
        runs = [work.submit("asynchronous", seconds=SECONDS) for _ in range(RUNS)]
        states = work.wait_all(runs, timeout=BURST_SECONDS)
        for host in hosts:
            host.end()
    assert {state.name for state in states} == {"Completed"}
    done = [work.read(run) for run in runs]
    assert {run.run_count for run in done} == {1}
    workers = {run.labels["prefect.worker.name"] for run in done}
    assert len(workers) == len(hosts), workers
    created = min(run.created for run in done if run.created)
    return (max(state.timestamp for state in states) - created).total_seconds()


def _warm_up(work: Workspace, count: int) -> None:
    """Wait until each of them has executed a run: it imports, connects and forks before the first one."""

    def all_work() -> bool:
        runs = [work.submit("asynchronous", seconds=1.0) for _ in range(2 * LIMIT)]
        work.wait_all(runs, timeout=BURST_SECONDS)
        return len({work.read(run).labels.get("prefect.worker.name") for run in runs}) == count

    wait_until(all_work, START_SECONDS)
