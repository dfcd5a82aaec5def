"""Runs of the pool dbt start dbt in a process that has it imported, once there is one; runs of other pools don't."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker
from tests.support.wait_until import wait_until


@pytest.fixture
def dbt_pool(prefect_server: Server, tmp_path: Path) -> Iterator[Workspace]:
    work = Workspace(tmp_path / "flows", prefect_server.api_url, "dbt", limit=1)
    environment = worker_environment(prefect_server, tmp_path)
    with our_worker(work.pool, environment, tmp_path / "worker.log") as worker:
        yield work
        worker.end()
    work.client.delete_work_pool(work.pool)
    work.close()


def test_a_run_of_the_dbt_pool_starts_one_program_in_its_spare_process(dbt_pool: Workspace):
    def run() -> dict[str, bool]:
        return dbt_pool.result(dbt_pool.wait(dbt_pool.submit("spare")))

    assert run() == {"first": False, "second": False}, "it does not wait for the fork server"
    wait_until(lambda: run() == {"first": True, "second": False}, 120)


def test_a_run_that_is_expected_finds_it_prepared(dbt_pool: Workspace, tmp_path: Path):
    deployment = dbt_pool.deploy("spare")
    wait_until(lambda: "serves dbt" in (tmp_path / "worker.log").read_text(), 120)
    state = dbt_pool.wait(dbt_pool.schedule(deployment, 12), timeout=120)
    assert dbt_pool.result(state) == {"first": True, "second": False}


def test_a_run_of_another_pool_has_none(shared: Callable[[str], Workspace]):
    work = shared("ours")
    state = work.wait(work.submit("spare"))
    assert work.result(state) == {"first": False, "second": False}
