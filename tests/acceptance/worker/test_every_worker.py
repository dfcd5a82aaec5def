"""What runs do and how they end, the same under Prefect's worker and under this project's.

The default is this project's alone, because a stock run takes seconds; ``-m soak`` runs the same tests under
both.
"""

from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import TaskRunSort
from prefect.states import Cancelling, Suspended

from tests.support.case_runs import Workspace
from tests.support.processes import wait_for_exit
from tests.support.wait_until import wait_until

Serve = Callable[[str], Workspace]


@pytest.fixture(params=["ours", pytest.param("stock", marks=pytest.mark.soak)])
def work(request: pytest.FixtureRequest, shared: Serve) -> Workspace:
    return shared(request.param)


def task_states(work: Workspace, run: UUID) -> list[str]:
    found = work.client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run])),
        sort=TaskRunSort.ID_DESC,
        limit=100,
    )
    return sorted(str(task.state_name) for task in found)


ENDS = [
    ("ok", StateType.COMPLETED, "Completed", None),
    ("asynchronous", StateType.COMPLETED, "Completed", None),
    ("failing", StateType.FAILED, "Failed", "ValueError: the input is wrong"),
    ("failed_with_data", StateType.FAILED, "Partial", "one of two failed"),
    ("with_subflow", StateType.COMPLETED, "Completed", None),
    ("with_threads", StateType.COMPLETED, "Completed", None),
    ("with_processes", StateType.COMPLETED, "Completed", None),
    ("killed", StateType.CRASHED, "Crashed", "SIGKILL"),
    ("segfault", StateType.CRASHED, "Crashed", "status code: -11"),
]


def test_runs_end_as_their_flows_do(work: Workspace):
    runs = [work.submit(name) for name, *_ in ENDS]
    for run, (name, kind, state_name, words) in zip(runs, ENDS, strict=True):
        state = work.wait(run, timeout=120)
        assert (name, state.type, state.name) == (name, kind, state_name)
        assert (words or "") in (state.message or "")


def test_an_exit_with_a_code_is_a_crash(work: Workspace):
    state = work.wait(work.submit("exiting", code=3))
    assert (state.type, "3" in str(state.message)) == (StateType.CRASHED, True)


def test_tasks_and_their_states_are_recorded(work: Workspace):
    run = work.submit("with_threads")
    work.wait(run)
    wait_until(lambda: task_states(work, run) == ["Completed"] * 3)


def test_tasks_and_flows_are_retried(work: Workspace):
    runs = [
        work.submit(name, marker=str(work.directory / f"{name}-{work.pool}"))
        for name in ("task_retries", "flow_retries")
    ]
    assert [work.wait(run).name for run in runs] == ["Completed", "Completed"]
    assert work.read(runs[1]).run_count == 2


def test_a_suspended_run_is_resumed_by_a_new_process(work: Workspace):
    run = work.submit("suspending")
    work.wait(run, "Suspended")
    work.client.resume_flow_run(run)
    assert work.wait(run).name == "Completed"


def test_a_running_run_that_is_suspended_stops_before_its_next_task(
    work: Workspace, tmp_path: Path
):
    lines, steps = tmp_path / "lines", 1500  # more than are done before it is notified
    run = work.submit("stepwise", path=str(lines), steps=steps)
    work.wait(run, "Running")
    work.client.set_flow_run_state(run, Suspended(timeout_seconds=600))
    wait_for_exit(work.pid(run))
    assert work.state(run).name == "Suspended"
    assert not lines.exists() or len(lines.read_text().splitlines()) < steps


def test_a_paused_run_goes_on(work: Workspace):
    run = work.submit("pausing")
    work.wait(run, "Paused")
    work.client.resume_flow_run(run)
    assert work.wait(run).name == "Completed"


def test_a_result_is_persisted(work: Workspace):
    state = work.wait(work.submit("persisted"))
    assert state.data is not None
    assert state.data.storage_key


def test_a_deployment_brings_its_environment(work: Workspace):
    deployment = work.deploy("environment", env={"CASE_VARIABLE": "set"})
    run = work.client.create_flow_run_from_deployment(deployment).id
    state = work.wait(run)
    seen = work.result(state)
    assert (seen["CASE_VARIABLE"], seen["cwd"]) == ("set", str(work.directory))


def test_an_artifact_is_kept(work: Workspace):
    run = work.submit("with_artifact")
    work.wait(run)
    assert any(artifact.flow_run_id == run for artifact in work.artifacts())


def test_a_running_run_is_cancelled(work: Workspace):
    run = work.submit("sleeping")
    work.wait(run, "Running")
    work.client.set_flow_run_state(run, Cancelling())
    assert work.wait(run).name == "Cancelled"


def test_a_queued_run_is_cancelled(work: Workspace):
    deployment = work.deploy("ok")
    run = work.schedule(deployment, in_seconds=3600)
    work.client.set_flow_run_state(run, Cancelling())
    assert work.wait(run).name == "Cancelled"


def test_hooks_run_after_cancellation_and_crash(work: Workspace):
    cancelled, crashed = work.submit("hooked"), work.submit("hooked", crash=True)
    work.wait(cancelled, "Running")
    work.client.set_flow_run_state(cancelled, Cancelling())
    for run, note in ((cancelled, "hook-Cancelling"), (crashed, "hook-Crashed")):
        path = work.directory / note
        wait_until(path.exists, timeout=60)
        assert path.read_text() == str(run)


def test_the_log_is_line_for_line_the_same(work: Workspace):
    run = work.submit("ok")
    work.wait(run)
    name = work.read(run).name
    expected = [
        f"Worker '*' submitting flow run '{run}'",
        f"Flow run '{name}' submitted to infrastructure",
        "Running 1 deployment pull step(s)",
        "Executing deployment step: set_working_directory",
        "Deployment step 'set_working_directory' completed successfully",
        "All deployment steps completed successfully",
        f"Beginning flow run '{name}' for flow 'ok'",
        "doubling 21",
        "Finished in state Completed()",
        "Finished in state Completed()",
    ]
    wait_until(lambda: sorted(work.messages(run)) == sorted(expected), timeout=15)


def test_edited_source_is_seen_by_the_next_run(work: Workspace):
    module = work.directory / "edited.py"
    module.write_text(
        "from prefect import flow\n\n@flow\ndef edited():\n    raise ValueError('old')\n"
    )
    assert "old" in str(work.wait(work.submit("edited", module="edited")).message)
    module.write_text(
        "from prefect import flow\n\n@flow\ndef edited():\n    raise ValueError('new code')\n"
    )
    assert "new code" in str(work.wait(work.submit("edited", module="edited")).message)


def test_a_broken_import_fails_its_run_only(work: Workspace):
    source = "import no_such_library\nfrom prefect import flow\n\n@flow\ndef broken(): ...\n"
    (work.directory / "broken.py").write_text(source)
    run = work.submit("broken", module="broken")
    assert work.wait(run).type in {StateType.CRASHED, StateType.FAILED}
    wait_until(lambda: any("no_such_library" in line for line in work.messages(run)), timeout=15)
    assert work.wait(work.submit("ok")).name == "Completed"


COUNTED = {"updated", "infrastructure_pid", "total_run_time"} | {
    f"estimated_{what}" for what in ("run_time", "start_time_delta")
}
"""What changes with time, and the process's id, which Prefect's worker writes after the start."""


def test_a_run_has_what_the_server_knows_of_it(work: Workspace):
    state = work.wait(work.submit("own_run"))
    own, server = work.result(state)
    assert own["state"]["type"] == "RUNNING"
    assert {name for name in own if own[name] != server[name]} <= COUNTED
