"""A host is lost permanently, or cut off for a minute: its runs are settled, and the other host has its slots."""

import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from analytics_worker.deployment.automations import sync_automations
from analytics_worker.prefect_support.heartbeat_timeout import (
    CRASH_MESSAGE,
    HEARTBEAT_AUTOMATION,
    HEARTBEAT_SECONDS,
    HEARTBEAT_TIMEOUT,
    HEARTBEAT_VARIABLE,
)
from tests.support.case_runs import Workspace
from tests.support.hosts import Host
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.timeout(400)
CUT_SECONDS = 60.0
TIMEOUT = HEARTBEAT_TIMEOUT.total_seconds() + 30
"""The server looks every few seconds, and a loaded machine needs its time."""


@pytest.fixture
def sleeping(work: Workspace) -> Iterator[UUID]:
    """A deployment whose runs send heartbeats; the server crashes those that send none."""
    beats = {HEARTBEAT_VARIABLE: str(HEARTBEAT_SECONDS)}
    deployment = work.deploy("sleeping", env=beats)
    list(sync_automations({"sleeping": deployment}, work.client))
    yield deployment
    for automation in work.client.read_automations_by_name(HEARTBEAT_AUTOMATION):
        work.client.delete_automation(automation.id)


def start(work: Workspace, deployment: UUID, seconds: float) -> UUID:
    """Start a run on the only host that has a worker."""
    parameters = {"seconds": seconds}
    run = work.client.create_flow_run_from_deployment(deployment, parameters=parameters).id
    work.wait(run, "Running", timeout=120)
    return run


def names(work: Workspace, run: UUID) -> list[str]:
    """Return the names of all states that a run had since it was claimed."""
    states = work.client.read_flow_run_states(run)
    return [
        str(state.name) for state in states if state.name not in {"Late", "Scheduled", "Submitting"}
    ]


@pytest.mark.parametrize("way", ["killed", "cut off"])
def test_a_lost_host(work: Workspace, hosts: list[Host], sleeping: UUID, way: str):
    lost, other = hosts
    lost.start_worker(work)
    runs = [start(work, sleeping, seconds=3600) for _ in range(2)]  # as many as the pool has slots
    other.start_worker(work)
    wait_until(lambda: len(work.client.read_workers_for_work_pool(work.pool)) == 2, 120)
    waiting = work.submit("ok")
    lost.connect(up=False)
    if way == "killed":
        lost.kill_all()
    for run in runs:
        state = work.wait(run, timeout=TIMEOUT)
        assert (state.name, state.message) == ("Crashed", CRASH_MESSAGE)
    assert work.wait(waiting, timeout=60).name == "Completed"
    assert [names(work, run) for run in runs] == [["Pending", "Running", "Crashed"]] * 2


def test_a_host_that_is_cut_off_for_a_minute(work: Workspace, hosts: list[Host], sleeping: UUID):
    cut, other = hosts
    cut.start_worker(work)
    runs = [start(work, sleeping, seconds=CUT_SECONDS + 20) for _ in range(2)]
    other.start_worker(work)
    waiting = [work.submit("ok") for _ in range(3)]
    cut.connect(up=False)
    time.sleep(CUT_SECONDS)
    assert [work.state(run).name for run in runs] == ["Running"] * 2
    cut.connect(up=True)
    states = work.wait_all([*runs, *waiting], timeout=120)
    assert {state.name for state in states} == {"Completed"}
    histories = [names(work, run) for run in [*runs, *waiting]]
    assert histories == [["Pending", "Running", "Completed"]] * 5
