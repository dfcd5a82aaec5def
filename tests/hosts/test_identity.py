"""A host's name is not its identity: no worker judges the runs of another one that has the same name."""

import os
import signal

from tests.support.case_runs import Workspace
from tests.support.hosts import Host
from tests.support.processes import wait_for_exit
from tests.support.wait_until import wait_until


def test_a_worker_settles_its_own_runs_and_no_others(work: Workspace, hosts: list[Host]):
    first, second = hosts
    worker = second.start_worker(work)
    lost = work.submit("sleeping", seconds=600)
    work.wait(lost, "Running")
    worker.end(signal.SIGKILL)
    os.kill(work.pid(lost), signal.SIGKILL)
    wait_for_exit(work.pid(lost))
    first.start_worker(work)
    alive = work.submit("sleeping", seconds=600)
    work.wait(alive, "Running")
    second.start_worker(work)
    # Having looked twice, it knew both runs, and which of them was its own.
    wait_until(lambda: second.proxy.count(f"^POST /api/flow_runs/{lost}/set_state$"), 60)
    assert work.wait(lost).name == "Crashed"
    assert work.state(alive).name == "Running"
    assert not first.proxy.count(f"{lost}/set_state")
    os.kill(work.pid(alive), signal.SIGKILL)
    assert "exited" in str(work.wait(alive).message)
