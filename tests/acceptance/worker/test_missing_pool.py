"""A pool that does not exist is named, with those that do and the command that creates it, and served once it is there."""

from collections.abc import Callable

from prefect.client.schemas.actions import WorkPoolCreate

from tests.support.case_runs import Workspace
from tests.support.processes import Process
from tests.support.wait_until import wait_until

Start = Callable[..., Process]
OFTEN = {"PREFECT_WORKER_HEARTBEAT_SECONDS": "2"}


def create(pool: Workspace) -> None:
    pool.client.create_work_pool(WorkPoolCreate(name=pool.pool, type="process"))


def problem(pool: Workspace) -> str:
    return f"work pool {pool.pool} does not exist; the server has "


def test_a_pool_that_was_deleted_while_it_is_served(pool: Workspace, start_worker: Start):
    worker = start_worker(**OFTEN)
    assert pool.wait(pool.submit("ok")).name == "Completed"
    pool.client.delete_work_pool(pool.pool)
    wait_until(lambda: problem(pool) in worker.output(), timeout=60)
    create(pool)
    assert pool.wait(pool.submit("asynchronous")).name == "Completed"
    wait_until(
        lambda: worker.output().count(f" serves {pool.pool}") == 2, timeout=30
    )  # events, too
    assert worker.output().count(problem(pool)) == 1
    assert f"`prefect work-pool create --type process {pool.pool}`" in worker.output()
    assert "does not answer" not in worker.output()


def test_a_pool_that_is_created_after_the_start(pool: Workspace, start_worker: Start):
    pool.client.delete_work_pool(pool.pool)
    worker = start_worker(**OFTEN)
    wait_until(lambda: problem(pool) in worker.output(), timeout=60)
    create(pool)
    assert pool.wait(pool.submit("ok")).name == "Completed"
    assert worker.output().count(problem(pool)) == 1
