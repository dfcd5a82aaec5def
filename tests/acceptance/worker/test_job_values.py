"""What a caller of the API names as code or sets as a variable is checked before anything is started."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.actions import DeploymentUpdate

from analytics_worker.settings import project_root
from analytics_worker.worker.run_spec import SET_FOLDER
from tests.support.attacked_pool import Target
from tests.support.attacks import attack
from tests.support.case_runs import Workspace
from tests.support.processes import Process
from tests.support.wait_until import wait_until


@attack(
    by="API caller",
    what="PATCH of a deployment: a file of the project's tests as entrypoint, which would be imported",
    answer="Failed; nothing was imported; the deployment works again as soon as it is corrected",
)
@pytest.mark.parametrize(
    "entrypoint", ["tests/support/guarded_server.py:victim", "tests.support.guarded_server.victim"]
)
def test_a_test_of_the_project_is_no_entrypoint(target: Target, entrypoint: str):
    deployment = target.work.deploy("ok")
    before = target.work.client.read_deployment(deployment)
    change = {
        "pull_steps": [{SET_FOLDER: {"directory": str(project_root())}}],
        "entrypoint": entrypoint,
    }
    target.work.client.update_deployment(deployment, DeploymentUpdate.model_validate(change))
    target.assert_refused(target.run(deployment), "not inside a trusted folder")
    right = {name: getattr(before, name) for name in change}
    target.work.client.update_deployment(deployment, DeploymentUpdate.model_validate(right))
    target.assert_works(deployment)


@attack(
    by="API caller",
    what="env of a run with values, and job variables of types, that would end its process at the start",
    answer="Failed once, before anything is started; the worker and the deployment go on",
)
@pytest.mark.parametrize(
    ("job_variables", "named"),
    [
        ({"env": {"LC_A=1\nX": "C"}}, "set env 'LC_A=1"),
        ({"env": {"LC_=": "C"}}, "set env 'LC_='"),
        ({"env": {"PREFECT_LOGGING_LEVEL": "LOUD"}}, "expected one of DEBUG"),
        ({"env": {"PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "often"}}, "expected whole seconds"),
        ({"env": {"TZ": ":/etc/passwd"}}, "expected the name of a time zone"),
        ({"env.TZ": "x", "env": {"LC_ALL": "\u0000"}}, "expected the name of a"),
        (
            {"env": {"LANG": "{{ prefect.blocks.secret.missing }}"}},
            "the job variables are not valid",
        ),
    ],
)
def test_values_that_would_crash_a_run(target: Target, job_variables: Any, named: str):
    deployment = target.work.deploy("ok")
    run = target.run(deployment, job_variables=job_variables)
    target.assert_refused(run, named, setting=False)
    target.assert_works(deployment)


@attack(
    by="API caller",
    what="set_state of a run in progress with data that names any module as its pickle library",
    answer="Neither the worker nor the run's process imports it; the run is cancelled as any other",
)
def test_the_worker_does_not_import_what_a_state_names(
    pool: Workspace, start_worker: Callable[..., Process], tmp_path: Path
):
    marker, libraries = tmp_path / "imported", tmp_path / "libraries"
    libraries.mkdir()
    source = f"import pathlib; pathlib.Path({str(marker)!r}).touch()"
    (libraries / "hostile_library.py").write_text(source)
    serializer = {"type": "pickle", "picklelib": "hostile_library"}
    start_worker(PYTHONPATH=str(libraries))
    run = pool.submit("sleeping", seconds=600)
    pool.wait(run, "Running")
    data = {"storage_key": "x", "serializer": serializer}
    body = {"state": {"type": "CANCELLING", "data": data}, "force": True}
    one = {"id": str(run)}
    pool.client.request("POST", "/flow_runs/{id}/set_state", path_params=one, json=body)

    def ended() -> bool:
        row = pool.client.request("GET", "/flow_runs/{id}", path_params=one).json()
        return row["state_type"] == "CANCELLED"

    wait_until(ended, timeout=120, interval=0.2)
    assert not marker.exists()
