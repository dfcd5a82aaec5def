"""What happens to runs when their process, the fork server or the worker dies."""

import os
import signal
from collections.abc import Callable

import psutil
import pytest
from prefect.states import Cancelling

from tests.support.case_runs import Workspace
from tests.support.processes import Process, wait_for_exit
from tests.support.wait_until import wait_until

StartWorker = Callable[..., Process]


def template_of(worker: Process) -> psutil.Process:
    """The worker's fork server."""

    def found() -> list[psutil.Process]:
        below = psutil.Process(worker.pid).children()
        return [p for p in below if "analytics_worker.worker.fork_server.process" in p.cmdline()]

    wait_until(found, timeout=120, interval=0.1)
    return found()[0]


def test_a_run_that_uses_too_much_memory_ends_with_the_reason(
    pool: Workspace, start_worker: StartWorker
):
    start_worker(WORKER_RUN_MEMORY_LIMIT_MB="250")
    state = pool.wait(pool.submit("hungry"), timeout=150)
    assert state.name == "Crashed"
    assert "its limit is 250 MB (WORKER_RUN_MEMORY_LIMIT_MB)" in str(state.message)


def test_a_run_outlives_its_template_and_the_next_one_gets_a_new_template(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker()
    run = pool.submit("sleeping", seconds=6)
    pool.wait(run, "Running", timeout=150)
    old = template_of(worker)
    old.kill()
    assert pool.wait(run).name == "Completed"
    assert pool.wait(pool.submit("ok")).name == "Completed"
    assert template_of(worker).pid != old.pid


def test_a_template_is_renewed_on_sighup_and_after_some_runs(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker(WORKER_RECYCLE_AFTER_RUNS="2")
    pool.wait(pool.submit("ok"), timeout=150)
    first = template_of(worker).pid
    os.kill(worker.pid, signal.SIGHUP)
    wait_for_exit(first)
    assert pool.wait(pool.submit("ok")).name == "Completed"
    second = template_of(worker).pid
    assert pool.wait(pool.submit("ok")).name == "Completed"
    wait_for_exit(second)


def test_runs_of_a_killed_worker_go_on_and_the_next_worker_follows_them(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker()
    run = pool.submit("sleeping", seconds=15)
    pool.wait(run, "Running", timeout=150)
    pid = pool.pid(run)
    worker.end(signal.SIGKILL)
    start_worker()
    waiting = pool.submit("ok")
    assert pool.wait(run, timeout=150).name == "Completed"
    assert pool.pid(run) == pid
    assert pool.wait(waiting, timeout=90).name == "Completed"


def test_a_run_that_died_with_its_worker_is_settled_by_the_next_one(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker()
    run = pool.submit("sleeping")
    pool.wait(run, "Running", timeout=150)
    pid = pool.pid(run)
    worker.end(signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    waiting = pool.submit("ok")
    start_worker()
    state = pool.wait(run, timeout=150)
    assert (state.name, "worker was killed" in str(state.message)) == ("Crashed", True)
    assert pool.wait(waiting, timeout=90).name == "Completed"


def test_a_run_that_lost_its_worker_can_still_be_cancelled(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker()
    run = pool.submit("hooked", seconds=300)
    pool.wait(run, "Running", timeout=150)
    pid = pool.pid(run)
    worker.end(signal.SIGKILL)
    start_worker()
    pool.client.set_flow_run_state(run, Cancelling())
    assert pool.wait(run, timeout=150).name == "Cancelled"
    wait_for_exit(pid)
    assert "Crashed" not in {state.name for state in pool.client.read_flow_run_states(run)}
    assert (pool.directory / "hook-Cancelling").read_text() == str(run)


def test_nothing_is_lost_when_the_worker_is_killed_while_it_claims(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker()
    pool.wait(pool.submit("ok"), timeout=150)
    pool.allow(4)
    runs = [pool.submit("ok") for _ in range(6)]
    wait_until(
        lambda: any(pool.state(run).is_pending() for run in runs), timeout=60, interval=0.005
    )
    worker.end(signal.SIGKILL)
    start_worker()
    assert [state.name for state in pool.wait_all(runs, timeout=200)] == ["Completed"] * 6


def test_a_worker_that_is_told_to_stop_lets_its_run_end(pool: Workspace, start_worker: StartWorker):
    worker = start_worker()
    run = pool.submit("sleeping", seconds=6)
    pool.wait(run, "Running", timeout=150)
    worker.end(signal.SIGTERM, timeout=60)
    assert worker.ended() == 0
    assert pool.state(run).name == "Completed"


def test_a_run_that_does_not_end_in_time_is_ended_with_the_reason(
    pool: Workspace, start_worker: StartWorker
):
    worker = start_worker("--drain-seconds", "1")
    run = pool.submit("stubborn")
    pool.wait(run, "Running", timeout=150)
    worker.end(signal.SIGTERM, timeout=60)
    state = pool.state(run)
    assert (state.name, "worker was stopped" in str(state.message)) == ("Crashed", True)


@pytest.mark.parametrize(
    ("how", "runs_of_a_template"),
    [
        (signal.SIGKILL, "1000"),
        (signal.SIGKILL, "1"),  # its fork server forks no more, but still reports how it ended
        pytest.param(signal.SIGSEGV, "1000", marks=pytest.mark.soak),
    ],
)
def test_a_killed_run_is_a_crash_with_its_signal(
    pool: Workspace, start_worker: StartWorker, how: signal.Signals, runs_of_a_template: str
):
    start_worker(WORKER_RECYCLE_AFTER_RUNS=runs_of_a_template)
    run = pool.submit("sleeping")
    pool.wait(run, "Running", timeout=150)
    os.kill(pool.pid(run), how)
    state = pool.wait(run, timeout=20)  # as promised
    assert (state.name, str(-how) in str(state.message)) == ("Crashed", True)


def test_a_run_is_cancelled_at_any_moment_of_its_start(pool: Workspace, start_worker: StartWorker):
    start_worker()
    pool.wait(pool.submit("ok"), timeout=150)
    for name in ("Pending", "Submitting", "Running"):
        run = pool.submit("sleeping")
        wait_until(
            lambda run=run, name=name: pool.state(run).name in {name, "Running"},
            timeout=60,
            interval=0.005,
        )
        pool.client.set_flow_run_state(run, Cancelling())
        assert pool.wait(run, timeout=60).name == "Cancelled"
