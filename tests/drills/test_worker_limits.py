"""A pool's limit holds over several of our workers: slots held are counted from the states."""

from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from uuid import UUID

import pytest

from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, Server, our_worker

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


def burst(work: Workspace, number: int) -> list[UUID]:
    runs = [work.submit("ok") for _ in range(number)]
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


@pytest.fixture
def server(prefect_server: Server, tmp_path: Path) -> Iterator[Server]:
    prefect_server.copy_database(tmp_path / "server")
    with Server(tmp_path / "server") as server:
        yield server


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_ten_bursts_of_a_hundred_over_a_restart_of_the_server(server: Server, tmp_path: Path):
    work = Workspace(tmp_path / "flows", server.api_url, "burst", limit=4)
    hosts = [tmp_path / "host-a", tmp_path / "host-b"]
    for host in hosts:
        host.mkdir()
    workers = [
        our_worker("burst", worker_environment(server, h), h / "worker.log", "--name", h.name)
        for h in hosts
    ]
    try:
        for worker in workers:
            worker.start()
        for number in range(10):
            if number == 5:
                server.end()
                server.start()
            assert most_slots_held(work, burst(work, 100)) <= 4
        assert "503" not in server.output()
    finally:
        for worker in workers:
            worker.end()
        work.close()
