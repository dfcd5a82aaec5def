"""A worker whose clock differs from the server's claims nothing, and none ahead of its time."""

import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from prefect.client.schemas.objects import StateType

from tests.support.case_runs import Workspace
from tests.support.processes import Process
from tests.support.shifted_clock import ShiftedClock
from tests.support.wait_until import wait_until

StartWorker = Callable[..., Process]


@pytest.mark.parametrize(("seconds", "direction"), [(300, "ahead of"), (-300, "behind")])
def test_it_says_so_and_claims_nothing_until_the_clock_is_right(
    pool: Workspace,
    start_worker: StartWorker,
    shifted_clock: ShiftedClock,
    seconds: int,
    direction: str,
):
    due, later = pool.submit("ok"), pool.schedule(pool.deploy("ok"), in_seconds=304)
    shifted_clock.set(seconds)
    worker = start_worker("--poll-seconds", "1", **shifted_clock.variables)
    says = rf"host \({socket.gethostname()}\) is (298|299|300) s {direction} the Prefect server's"
    wait_until(lambda: re.search(says, worker.output()), timeout=60)
    healthy = start_worker("--poll-seconds", "1")
    assert pool.wait(due).name == "Completed"
    assert f"submitting flow run '{due}'" in healthy.output()
    healthy.end()
    due = pool.submit("ok")
    assert worker.output().count("no runs are claimed") == 1
    assert pool.state(due).type is pool.state(later).type is StateType.SCHEDULED
    shifted_clock.set(0)
    assert pool.wait(due).name == "Completed"
    assert worker.output().count("fits again") == 1
    assert pool.state(later).type is StateType.SCHEDULED


def test_a_clock_that_goes_wrong_later_claims_no_run_ahead_of_its_time(
    pool: Workspace, start_worker: StartWorker, shifted_clock: ShiftedClock
):
    worker = start_worker("--poll-seconds", "1", **shifted_clock.variables)
    assert pool.wait(pool.submit("ok")).name == "Completed"
    later = pool.schedule(pool.deploy("ok"), in_seconds=304)
    shifted_clock.set(300)
    wait_until(lambda: "no runs are claimed" in worker.output(), timeout=60)
    assert pool.state(later).type is StateType.SCHEDULED


def test_a_small_difference_is_a_warning_and_runs_start_at_their_time(
    pool: Workspace, start_worker: StartWorker, shifted_clock: ShiftedClock
):
    shifted_clock.set(12)
    worker = start_worker("--poll-seconds", "1", **shifted_clock.variables)
    assert pool.wait(pool.submit("ok")).name == "Completed"
    due = datetime.now(UTC).timestamp() + 14
    run = pool.schedule(pool.deploy("ok"), in_seconds=14)
    assert pool.wait(run).name == "Completed"
    history = pool.client.read_flow_run_states(run)
    pending = next(state for state in history if state.type is StateType.PENDING)
    assert pending.timestamp.timestamp() > due - 4
    assert len(re.findall(r"WARNING.*is 1[0-2] s ahead of", worker.output())) == 1
