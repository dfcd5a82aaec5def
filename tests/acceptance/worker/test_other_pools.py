"""A worker that is asked to serve a pool of containers leaves its runs to the worker that can start them."""

from collections.abc import Callable
from pathlib import Path

from tests.support.case_runs import Workspace
from tests.support.processes import Process, Server


def test_runs_of_a_pool_of_another_type_are_not_claimed(
    prefect_server: Server,
    pool: Workspace,
    start_worker: Callable[..., Process],
    tmp_path: Path,
):
    containers = Workspace(
        tmp_path / "containers", prefect_server.api_url, f"{pool.pool}-docker", pool_type="docker"
    )
    start_worker("--pool", containers.pool)
    left = containers.submit("ok")
    assert pool.wait(pool.submit("ok")).is_completed()
    assert pool.wait(pool.submit("ok")).is_completed()
    assert containers.state(left).is_scheduled()
    containers.close()
