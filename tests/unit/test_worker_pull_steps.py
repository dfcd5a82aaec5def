"""Where the code of a run may come from: a working_dir or one pull step that names a trusted folder."""

from pathlib import Path
from typing import Any

import pytest
from prefect.settings import PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES, temporary_settings

from analytics_worker.worker.job_override_policy import JobRefusedError
from tests.support.attacks import attack
from tests.support.jobs import (
    GIT_CLONE,
    REQUIREMENTS,
    SET_FOLDER,
    SHELL,
    deployment_of,
    job_of,
    policy_of,
    refusal,
    trusted_folder,
)


@pytest.fixture
def code(tmp_path: Path) -> Path:
    return trusted_folder(tmp_path)


def test_a_working_dir_that_is_no_path_is_refused(code: Path):
    assert "set working_dir" in refusal(code, job_of(run={"working_dir": "/a\0b"}))


@attack(
    by="API caller",
    what="working_dir outside the trusted folders, or the report folder inside one",
    answer="Failed: which folder, and WORKER_CODE_FOLDERS",
)
@pytest.mark.parametrize("folder", ["/tmp", "{code}/reports", "{code}/linked", "{code}/../"])
def test_a_foreign_working_dir_is_refused(code: Path, folder: str):
    message = refusal(code, job_of(run={"working_dir": folder.format(code=code)}))
    assert "the run's job variables set working_dir" in message
    assert "WORKER_CODE_FOLDERS" in message


def test_a_trusted_working_dir_is_where_a_deployment_without_steps_runs(code: Path):
    job = job_of(run={"working_dir": str(code)})
    assert (
        policy_of(code).code_location(job, deployment_of(code, pull_steps=None)).directory == code
    )


@attack(
    by="API caller",
    what="pull steps that clone, run a shell, install packages, are templates, or name any importable function",
    answer="Failed: which step; only one set_working_directory to a trusted folder is taken",
)
@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ([{GIT_CLONE: {"repository": "https://evil.example/x.git"}}], GIT_CLONE),
        ([{SHELL: {"script": "touch /tmp/marker"}}], SHELL),
        ([{REQUIREMENTS: {}}], REQUIREMENTS),
        ([{"os.system": {"command": "touch /tmp/marker"}}], "os.system"),
        ([{SET_FOLDER: {"directory": "{code}"}}, {SHELL: {"script": "id"}}], SHELL),
        ([{SET_FOLDER: {"directory": "{code}"}, SHELL: {"script": "id"}}], SHELL),
        ([{SET_FOLDER: {"directory": "{code}"}}] * 2, "expected one"),
        ([{SET_FOLDER: {"directory": "{code}", "requires": "evil-package"}}], "'requires'"),
        ([{SET_FOLDER: {"directory": "/tmp"}}], "'/tmp'"),
        ([{SET_FOLDER: {"directory": "{code}/reports"}}], "not inside"),
        ([{SET_FOLDER: {"directory": "{code}/linked"}}], "not inside"),
        ([{SET_FOLDER: {"directory": "{{ prefect.variables.x }}"}}], "not absolute"),
        ([{SET_FOLDER: {"directory": "flows"}}], "not absolute"),
        ([{SET_FOLDER: {"directory": "{code}/missing"}}], "not on this host"),
        ([{SET_FOLDER: {"directory": "{code}/a\0b"}}], "not absolute"),
        ([{SET_FOLDER: None}], "expected one"),
        ([{}], "expected one"),
        ([], "no pull step"),
    ],
)
def test_pull_steps_that_do_more_than_set_a_trusted_folder_are_refused(
    code: Path, steps: list[Any], named: str
):
    filled = [{name: _filled(inputs, code) for name, inputs in step.items()} for step in steps]
    assert named in refusal(code, job_of(), deployment_of(code, pull_steps=filled))


def _filled(inputs: Any, code: Path) -> Any:
    return inputs and {key: text.replace("{code}", str(code)) for key, text in inputs.items()}


@attack(
    by="API caller",
    what="a run without a deployment, or on a worker that installs dependencies for its runs",
    answer="Failed: neither has code of a trusted folder alone",
)
def test_a_run_that_only_prefect_could_start_is_refused(code: Path):
    with pytest.raises(JobRefusedError, match="no deployment"):
        policy_of(code).code_location(job_of(), None)
    with temporary_settings({PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES: True}):
        assert "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES" in refusal(code, job_of())
