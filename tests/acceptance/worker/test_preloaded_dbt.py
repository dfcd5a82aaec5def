"""Runs of the pool dbt start dbt in a process that has it imported; runs of other pools don't."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker


@pytest.fixture
def dbt_pool(prefect_server: Server, tmp_path: Path) -> Iterator[Workspace]:
    work = Workspace(tmp_path / "flows", prefect_server.api_url, "dbt", limit=1)
    environment = worker_environment(prefect_server, tmp_path)
    with our_worker(work.pool, environment, tmp_path / "worker.log") as worker:
        yield work
        worker.end()
    work.close()


def test_a_run_of_the_dbt_pool_starts_one_program_in_its_spare_process(dbt_pool: Workspace):
    state = dbt_pool.wait(dbt_pool.submit("spare"))
    assert dbt_pool.result(state) == {"first": True, "second": False}


def test_a_run_of_another_pool_has_none(shared: Callable[[str], Workspace]):
    work = shared("ours")
    state = work.wait(work.submit("spare"))
    assert work.result(state) == {"first": False, "second": False}
