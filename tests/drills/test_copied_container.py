"""A container that was made from the folder of another one is another worker."""

from tests.support.case_runs import Workspace
from tests.support.hosts import Host
from tests.support.wait_until import wait_until

SWEEP = "^POST /api/flow_runs/filter$"


def test_a_container_from_a_copy_of_another_ones_folder_is_another_worker(
    work: Workspace, hosts: list[Host]
):
    """Same host name, same boot, same numbers of processes, same ids in the folder."""
    first, second = hosts
    first.start_worker(work, container=True)
    run = work.submit("sleeping", seconds=600)
    work.wait(run, "Running")
    second.copy_state(first)
    second.start_worker(work, container=True)
    wait_until(lambda: second.proxy.count(SWEEP) >= 2, 90)
    assert work.state(run).name == "Running"
    workers = work.client.read_workers_for_work_pool(work.pool)
    assert len({worker.name for worker in workers}) == 2
    assert all(worker.name.startswith("worker-") for worker in workers)
