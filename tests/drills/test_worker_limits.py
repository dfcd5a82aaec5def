"""A pool's limit holds over several of our workers: slots held are counted from the states."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import accumulate
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.case_runs import Workspace
from tests.support.contrib_postgres import ContribPostgres, server_on
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker, stock_worker
from tests.support.wait_until import wait_until

StartWorker = Callable[..., Process]
HELD = {"PENDING", "RUNNING"}


def changes(work: Workspace, run: UUID) -> Iterator[tuple[float, int]]:
    """When the run took and gave back a slot of its pool."""
    held = 0
    for state in work.client.read_flow_run_states(run):
        holds = int(state.type.value in HELD)
        if holds != held:
            yield state.timestamp.timestamp(), holds - held
            held = holds


def most_slots_held(work: Workspace, runs: list[UUID]) -> int:
    """The most runs that were PENDING or RUNNING at the same time."""
    ordered = sorted(change for run in runs for change in changes(work, run))
    return max(accumulate(difference for _, difference in ordered))


def burst(work: Workspace, number: int, meanwhile: Callable[[], None] = lambda: None) -> list[UUID]:
    runs = [work.submit("ok") for _ in range(number)]
    meanwhile()
    states = work.wait_all(runs, timeout=60 + 6 * number)
    assert {state.name for state in states} == {"Completed"}
    return runs


def test_two_workers_on_one_host_keep_the_limit(pool: Workspace, start_worker: StartWorker):
    pool.allow(2)
    start_worker()
    start_worker()
    pool.wait(pool.submit("ok"), timeout=150)
    runs = burst(pool, 10)
    assert 1 <= most_slots_held(pool, runs) <= 2
    workers = {pool.read(run).labels["prefect.worker.name"] for run in runs}
    assert len(workers) <= 2


def test_beside_a_stock_worker_both_serve_the_pool_and_no_run_is_carried_twice(
    prefect_server: Server, pool: Workspace, start_worker: StartWorker, tmp_path: Path
):
    """How many run at once is what Prefect's own worker makes of the limit: it takes no turn."""
    pool.allow(4)
    start_worker()
    environment = worker_environment(prefect_server, tmp_path)
    with stock_worker(pool.pool, environment, tmp_path / "stock.log") as theirs:
        pool.wait(pool.submit("ok"), timeout=150)
        wait_until(lambda: len(workers_of(pool)) == 2, timeout=150)
        runs = [pool.submit("sleeping", seconds=2) for _ in range(24)]
        states = pool.wait_all(runs, timeout=200)
        theirs.end()
    assert {state.name for state in states} == {"Completed"}
    assert len({pool.read(run).labels["prefect.worker.name"] for run in runs}) == 2
    carried = [[state.name for state in pool.client.read_flow_run_states(run)] for run in runs]
    assert all(names.count("Running") == 1 for names in carried), carried


def workers_of(work: Workspace) -> list[str]:
    return [worker.name for worker in work.client.read_workers_for_work_pool(work.pool)]


@pytest.fixture
def sqlite_server(prefect_server: Server, tmp_path: Path) -> Server:
    prefect_server.copy_database(tmp_path / "server")
    return Server(tmp_path / "server")


@pytest.fixture
def postgres_server(contrib_postgres: ContribPostgres, tmp_path: Path) -> Server:
    return server_on(contrib_postgres, tmp_path / "server")


@pytest.fixture
def hosts(tmp_path: Path) -> list[Path]:
    """Two workers with nothing in common but the server."""
    hosts = [tmp_path / name for name in ("host-a", "host-b")]
    for host in hosts:
        host.mkdir()
    return hosts


def bursts_of_a_hundred(server: Server, hosts: list[Path], times: int) -> None:
    """On a pool that lets four runs be in progress; the server is restarted in the middle of one."""
    work = Workspace(hosts[0] / "flows", server.api_url, "burst", limit=4)

    def restart() -> None:
        server.end()
        server.start()

    with ExitStack() as stack:
        for host in hosts:
            environment = worker_environment(server, host, WORKER_CODE_FOLDERS=str(work.directory))
            worker = our_worker("burst", environment, host / "worker.log", "--name", host.name)
            stack.callback(worker.end)
            worker.start()
        for number in range(times):
            runs = burst(work, 100, restart if number == times // 2 else lambda: None)
            assert most_slots_held(work, runs) <= 4
    assert "503" not in server.output()
    work.close()


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_ten_bursts_of_a_hundred_keep_the_limit_over_a_restart_of_the_server(
    request: pytest.FixtureRequest, hosts: list[Path], kind: str
):
    with request.getfixturevalue(f"{kind}_server") as server:
        bursts_of_a_hundred(server, hosts, 10)
