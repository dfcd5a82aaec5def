"""A burst of runs on two hosts against one, with a limit of 20 runs for each host.

Each host is a worker with folders of its own; the pool's limit is 20 with one of them and 40 with both, as an
operator sets it. The server is on PostgreSQL where there is one that it can use. All share the cores of this machine,
so runs wait, as for a query, and use little CPU: this measures whether two workers get in each other's way when
they claim runs, and not how much work two machines do. A pool has one limit for all its workers: which of them
claims a run is not controlled, so the share of the busier one is shown. One burst after the other, in turns.
"""

import os
import statistics
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from benchmarks._servers import kinds, measured_server
from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker
from tests.support.wait_until import wait_until

LIMIT = int(os.environ.get("HOSTS_LIMIT", "20"))
SECONDS = 20.0
RUNS = int(os.environ.get("HOSTS_RUNS", "200"))
ROUNDS = int(os.environ.get("HOSTS_ROUNDS", "2"))
START_SECONDS, BURST_SECONDS = 240, 900.0


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
    one, two = (
        statistics.median(seconds for seconds, _ in bursts) for bursts in zip(*rounds, strict=True)
    )
    busier = statistics.median(share for _, (_, share) in rounds)
    what = f"burst of {RUNS} runs of {SECONDS:g} s at limit {LIMIT} per host, server on {kind}"
    return [
        Row(f"{what}: two hosts", two, "s", "one host", one, "≤ 0.625x"),
        Row("… runs of the busier host", 100 * busier, "%", "evenly", 50.0),
    ]


def _host(work: Workspace, server: Server, folder: Path, number: int) -> Process:
    own = folder / f"host{number}"
    own.mkdir()
    code = str(work.directory)
    environment = worker_environment(server, own, WORKER_CODE_FOLDERS=code)
    return our_worker(work.pool, environment, own / "worker.log", "--name", f"host{number}")


def _burst(work: Workspace, hosts: list[Process]) -> tuple[float, float]:
    """Return the seconds from the first creation to the last end, and the busier host's share of the runs.

    No run is lost or starts twice.
    """
    work.allow(LIMIT * len(hosts))
    with ExitStack() as stack:
        _start(work, hosts, stack)
        runs = [work.submit("asynchronous", seconds=SECONDS) for _ in range(RUNS)]
        states = work.wait_all(runs, timeout=BURST_SECONDS)
        for host in hosts:
            host.end()
    assert {state.name for state in states} == {"Completed"}
    done = [work.read(run) for run in runs]
    assert {run.run_count for run in done} == {1}
    shares = Counter(str(run.labels["prefect.worker.name"]) for run in done)
    created = min(run.created for run in done if run.created)
    seconds = (max(state.timestamp for state in states) - created).total_seconds()
    return seconds, max(shares.values()) / RUNS


def _start(work: Workspace, hosts: list[Process], stack: ExitStack) -> None:
    """Start the hosts, and run something: a worker imports, connects and forks before its first run."""
    since = time.time()
    for host in hosts:
        stack.enter_context(host)

    def all_online() -> bool:
        workers = work.client.read_workers_for_work_pool(work.pool)
        beats = [worker.last_heartbeat_time for worker in workers]
        return sum(beat is not None and beat.timestamp() > since for beat in beats) == len(hosts)

    wait_until(all_online, START_SECONDS, interval=0.5)
    work.wait_all([work.submit("asynchronous", seconds=1.0) for _ in range(2 * LIMIT)])
