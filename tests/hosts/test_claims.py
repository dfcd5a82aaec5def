"""A slow server makes a worker claim fewer runs at a time, not the same runs again and again."""

import pytest

from tests.support.case_runs import Workspace
from tests.support.hosts import Host
from tests.support.wait_until import wait_until


@pytest.mark.parametrize("delay", [1.0])
def test_each_run_is_claimed_once(work: Workspace, hosts: list[Host], delay: float):
    work.allow(6)
    for host in hosts:
        host.start_worker(work)
    wait_until(lambda: len(work.client.read_workers_for_work_pool(work.pool)) == 2, 60)
    for host in hosts:
        host.proxy.delay = delay
    runs = [work.submit("ok") for _ in range(6)]
    states = work.wait_all(runs, timeout=150)
    assert {state.name for state in states} == {"Completed"}
    claims = [
        state.name
        for run in runs
        for state in work.client.read_flow_run_states(run)
        if state.name == "Pending"
    ]
    assert len(claims) / len(runs) <= 1.05
