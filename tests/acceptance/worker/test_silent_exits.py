"""A process that exits with 0 before its run has an end is a crash, however it was started."""

from collections.abc import Callable
from typing import Any

import pytest
from prefect.client.schemas.actions import DeploymentUpdate

from tests.support.attacks import attack
from tests.support.case_runs import Workspace
from tests.support.processes import Process

StartWorker = Callable[..., Process]


@attack(
    by="API caller",
    what="a run whose process exits with 0 and reports nothing: os._exit(0), or a foreign command where those are allowed",
    answer="Crashed after the first time; the deployment's next run works",
)
@pytest.mark.parametrize(
    ("flow", "variables"),
    [
        pytest.param("exiting", lambda _: {}, id="forked"),
        pytest.param("exiting", lambda p: {"working_dir": str(p.directory)}, id="started"),
        pytest.param("ok", lambda _: {"command": "true"}, id="command"),
    ],
)
def test_a_run_that_reports_no_end_crashes_once(
    pool: Workspace,
    start_worker: StartWorker,
    flow: str,
    variables: Callable[[Workspace], dict[str, Any]],
):
    start_worker(WORKER_ALLOW_JOB_OVERRIDES="on")
    deployment = pool.deploy(flow)
    limit = DeploymentUpdate.model_validate({"concurrency_limit": 1})
    pool.client.update_deployment(deployment, limit)
    run = pool.client.create_flow_run_from_deployment(deployment, job_variables=variables(pool)).id
    state = pool.wait(run, timeout=150)
    assert (state.name, "exited with status code 0" in str(state.message)) == ("Crashed", True)
    code = {"code": 3} if flow == "exiting" else {}
    after = pool.client.create_flow_run_from_deployment(deployment, parameters=code).id
    assert pool.wait(after).name == ("Crashed" if code else "Completed")
    names = [one.name for one in pool.client.read_flow_run_states(run)]
    assert (names.count("Pending"), names.count("Crashed")) == (1, 1)
