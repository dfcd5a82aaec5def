"""A caller of the API cannot make the worker run other code: real server, real worker, a marker file."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.schemas.actions import DeploymentUpdate

from tests.support.attacked_pool import Target
from tests.support.attacks import attack
from tests.support.wait_until import wait_until

SHELL = "prefect.deployments.steps.run_shell_script"


@attack(
    by="API caller",
    what="POST /deployments/{id}/create_flow_run with job_variables.command",
    answer="the run ends once as Failed; nothing was executed; the deployment's next run works",
)
def test_a_command_of_a_run(target: Target):
    deployment = target.work.deploy("ok")
    run = target.run(deployment, job_variables={"command": target.command})
    target.assert_refused(run, f"the run's job variables set command {target.command!r}")
    target.assert_works(deployment)


@attack(
    by="API caller",
    what="a run without a deployment in our pool, with job_variables.command",
    answer="Failed; nothing was executed",
)
def test_a_command_of_a_run_without_a_deployment(target: Target):
    flow = target.send("POST", "/flows/", {"name": "ok"})["id"]
    body = {
        "flow_id": flow,
        "work_pool_name": target.work.pool,
        "job_variables": {"command": target.command},
        "state": {"type": "SCHEDULED"},
    }
    run = UUID(target.send("POST", "/flow_runs/", body)["id"])
    target.assert_refused(run, "command")


@attack(
    by="API caller",
    what="an automation whose run-deployment action has job_variables.command",
    answer="Failed; nothing was executed",
)
def test_a_command_of_an_automation(target: Target):
    deployment = target.work.deploy("ok")
    event = f"attack.{uuid4()}"
    action = {
        "type": "run-deployment",
        "source": "selected",
        "deployment_id": str(deployment),
        "job_variables": {"command": target.command},
    }
    trigger = {
        "type": "event",
        "posture": "Reactive",
        "expect": [event],
        "threshold": 1,
        "within": 0,
    }
    made = target.send(
        "POST", "/automations/", {"name": event, "trigger": trigger, "actions": [action]}
    )
    known = set(runs_of(target, deployment))

    def started() -> set[UUID]:
        resource = {"prefect.resource.id": "attack"}
        one = {"event": event, "resource": resource, "occurred": now(), "id": str(uuid4())}
        target.send("POST", "/events", [one])
        return set(runs_of(target, deployment)) - known

    wait_until(started, timeout=60, interval=1)
    target.send("DELETE", f"/automations/{made['id']}", None)
    for run in started():
        target.assert_refused(run, "the run's job variables set command")
    target.assert_works(deployment)


def now() -> str:
    return datetime.now(UTC).isoformat()


def runs_of(target: Target, deployment: UUID) -> list[UUID]:
    wanted = {"deployments": {"id": {"any_": [str(deployment)]}}, "sort": "ID_DESC"}
    return [UUID(run["id"]) for run in target.send("POST", "/flow_runs/filter", wanted)]


@attack(
    by="API caller",
    what="PATCH of a deployment: job_variables.command, a shell pull step, os.system or a standard module as entrypoint",
    answer="Failed; nothing was executed; the deployment works again as soon as it is corrected",
)
@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: {"job_variables": {"command": t.command}}, "the deployment's job variables"),
        (lambda t: {"pull_steps": [{SHELL: {"script": t.command}}]}, SHELL),
        (lambda t: {"pull_steps": [{"os.system": {"command": t.command}}]}, "os.system"),
        (lambda _: {"pull_steps": []}, "no pull step"),
        (lambda _: {"entrypoint": "os.system"}, "'os.system'"),
        (lambda _: {"entrypoint": "cases.py:os.system"}, "'cases.py:os.system'"),
        (lambda t: {"entrypoint": f"{evil_file(t)}:flow"}, "not inside a trusted folder"),
    ],
)
def test_a_changed_deployment(
    target: Target, change: Callable[[Target], dict[str, Any]], named: str
):
    deployment = target.work.deploy("ok")
    before = target.work.client.read_deployment(deployment)
    changed = DeploymentUpdate.model_validate(change(target))
    target.work.client.update_deployment(deployment, changed)
    run = target.run(
        deployment, parameters={"command": target.command}, enforce_parameter_schema=False
    )
    target.assert_refused(run, named)
    right = {name: getattr(before, name) for name in ("job_variables", "pull_steps", "entrypoint")}
    target.work.client.update_deployment(deployment, DeploymentUpdate.model_validate(right))
    target.assert_works(deployment)


def evil_file(target: Target) -> Path:
    """A file that a report could be, outside the code's folders."""
    file = target.marker.with_name("report.py")
    file.write_text(f"import pathlib; pathlib.Path({str(target.marker)!r}).touch()")
    return file


@attack(
    by="API caller",
    what="an entrypoint that names a function which a module of the project imports or defines, with parameters",
    answer="Failed: only flows are run, functions are not made flows",
)
def test_a_function_that_is_no_flow(target: Target):
    deployment = target.work.deploy("ok")
    before = target.work.client.read_deployment(deployment).entrypoint
    change = DeploymentUpdate(entrypoint="cases.py:note_hook")
    target.work.client.update_deployment(deployment, change)
    parameters = {"flow": None, "flow_run": {"id": 1}, "state": {"name": "x"}}
    target.assert_refused(target.run(deployment, parameters=parameters), "no flow of that name")
    target.work.client.update_deployment(deployment, DeploymentUpdate(entrypoint=before))
    target.assert_works(deployment)


@attack(
    by="API caller",
    what="PATCH of a work pool's base_job_template: a command as default",
    answer="Failed; nothing was executed",
)
def test_a_command_of_the_work_pool(target: Target):
    deployment = target.work.deploy("ok")
    path = f"/work_pools/{target.work.pool}"
    template = target.api.get(path).json()["base_job_template"]
    hostile = {
        "job_configuration": {"command": "{{ command }}", "env": "{{ env }}"},
        "variables": {
            "type": "object",
            "properties": {
                "command": {"type": "string", "default": target.command},
                "env": {"type": "object"},
            },
        },
    }
    target.send("PATCH", path, {"base_job_template": hostile})

    def refused() -> bool:
        """After the worker has read the change."""
        run = target.run(deployment)
        return target.work.wait(run).name == "Failed" and not target.assert_refused(
            run, "the work pool's base job template set command"
        )

    wait_until(refused, timeout=90, interval=0.5)
    target.send("PATCH", path, {"base_job_template": template})
    wait_until(lambda: target.work.wait(target.run(deployment)).name == "Completed", timeout=90)


@attack(
    by="API caller",
    what="env of a run: PYTHONPATH with a sitecustomize.py, PYTHONSTARTUP, LD_PRELOAD, PREFECT__FLOW_ENTRYPOINT",
    answer="Failed: which variable; nothing was executed",
)
@pytest.mark.parametrize(
    "name", ["PYTHONPATH", "PYTHONSTARTUP", "LD_PRELOAD", "PREFECT__FLOW_ENTRYPOINT"]
)
def test_a_variable_that_changes_what_code_runs(target: Target, name: str):
    deployment = target.work.deploy("hooked")
    evil = evil_file(target)
    evil.with_name("sitecustomize.py").write_text(evil.read_text())
    values = {"PYTHONPATH": evil.parent, "PREFECT__FLOW_ENTRYPOINT": f"{evil}:flow"}
    env = {name: str(values.get(name, evil))}
    run = target.run(deployment, job_variables={"env": env}, parameters={"seconds": 0})
    target.assert_refused(run, f"set env {name!r}")
    assert not list(target.work.directory.glob("hook-*"))
    normal = target.run(deployment, job_variables={"env": {"TZ": "UTC"}}, parameters={"seconds": 0})
    assert target.work.wait(normal).name == "Completed"
