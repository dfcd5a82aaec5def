"""A project's flows are imported before its runs come, and an edit is seen by the next run all the same."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import ROOT, Process, Server

PACKAGES = ("analytics_worker", "blocks", "flows")
FLOW = """
import os
from prefect import flow

IMPORTED_BY = os.getpid()

@flow(persist_result=True)
def greet() -> list:
    return ["hello", os.getpid() != IMPORTED_BY]
"""


@pytest.fixture
def project(prefect_server: Server, tmp_path: Path) -> Iterator[Workspace]:
    """A copy of the project with one more pool and flow, served by its own worker."""
    root = tmp_path / "project"
    for package in PACKAGES:
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, root / package, ignore=ignored)
    shutil.copy(ROOT / "prefect.yaml", root)
    pool = f"greetings_{uuid4().hex[:8]}"
    work = Workspace(root, prefect_server.api_url, pool, limit=1)
    module(work).parent.mkdir()
    module(work).write_text(FLOW)
    allowed = {"WORKER_JOB_ENVIRONMENT": "LANGUAGE_OF_GREETINGS", "WORKER_CODE_FOLDERS": ""}
    environment = worker_environment(prefect_server, tmp_path, PYTHONPATH=str(root), **allowed)
    command = [
        "-P",
        "-c",
        "from analytics_worker.cli import main; main()",
        "worker",
        "--pool",
        pool,
    ]
    with Process(command, environment, tmp_path / "worker.log") as worker:
        yield work
        worker.end()
    work.close()


def module(work: Workspace) -> Path:
    return work.directory / "flows" / work.pool / "__init__.py"


def submit(work: Workspace, **job_variables: object) -> UUID:
    deployment = work.deploy("greet", module=f"flows.{work.pool}", **job_variables)
    return work.client.create_flow_run_from_deployment(deployment).id


def greeting(work: Workspace, **job_variables: object) -> object:
    return work.result(work.wait(submit(work, **job_variables)))


def test_flows_are_imported_before_their_runs_and_again_after_an_edit(project: Workspace):
    assert greeting(project) == ["hello", True]
    module(project).write_text(FLOW.replace("hello", "good morning"))
    assert greeting(project) == ["good morning", True]


def test_a_run_with_variables_of_its_own_imports_its_flow_for_itself(project: Workspace):
    assert greeting(project, env={"LANGUAGE_OF_GREETINGS": "de"}) == ["hello", False]


def test_an_edit_that_cannot_be_imported_fails_its_runs_and_nothing_else(project: Workspace):
    module(project).write_text(f"import there_is_no_such_module\n{FLOW}")
    run = submit(project)
    state = project.wait(run)
    assert state.name in {"Failed", "Crashed"}
    assert "there_is_no_such_module" in " ".join([str(state.message), *project.messages(run)])
    module(project).write_text(FLOW)
    assert greeting(project) == ["hello", True]
