"""What a run's job variables, pull steps and entrypoint may ask for, and what is refused by name."""

import asyncio
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES, temporary_settings
from prefect.workers.process import ProcessWorker

from tests.support.attacks import attack
from toolkit.catalogue import catalogue
from toolkit.settings import project_root
from worker.code_folders import CodeFolderError, CodeFolders
from worker.job import Job
from worker.job_policy import JobPolicy, JobRefusedError
from worker.placement import SET_FOLDER, Place

GIT_CLONE = "prefect.deployments.steps.git_clone"
SHELL = "prefect.deployments.steps.run_shell_script"
REQUIREMENTS = "prefect.deployments.steps.pip_install_requirements"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A trusted folder with a flow in a file, in a package, and with what the worker wrote."""
    folder = tmp_path / "code"
    files = {
        "reports/evil.py": "",
        "team_flows/__init__.py": "",
        "team_flows/daily.py": "from prefect import flow\n",
        "script.py": "from prefect import flow\n",
        ".venv/lib/python3.11/site-packages/pip/__main__.py": "",
        "yaml/__init__.py": "",
        "yaml/evil.py": "",
        "unpacked/a.py": "",
        "report.csv": "import os",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (tmp_path / "outside.py").write_text("")
    (folder / "link.py").symlink_to(tmp_path / "outside.py")
    (folder / "linked").symlink_to(folder / "reports", target_is_directory=True)
    return folder


def policy_of(code: Path, *, environment: tuple[str, ...] = ()) -> JobPolicy:
    folders = CodeFolders.of(project_root(), [code], [code / "reports", code / ".venv"])
    return JobPolicy(allow_overrides=False, folders=folders, environment=environment)


def deployment_of(code: Path, entrypoint: str = "script.py:daily", **fields: Any) -> Any:
    steps = [{SET_FOLDER: {"directory": str(code)}}]
    given = {"entrypoint": entrypoint, "pull_steps": steps, "name": "d", "job_variables": {}}
    return cast("DeploymentResponse", SimpleNamespace(**given | fields))


def job_of(
    run: dict[str, Any] | None = None,
    deployment: dict[str, Any] | None = None,
    template: dict[str, Any] | None = None,
) -> Job:
    """The job as the worker makes it of what the API holds."""
    pool = WorkPool(
        name="p",
        type="process",
        default_queue_id=uuid4(),
        base_job_template=template or ProcessWorker.get_default_base_job_template(),
    )
    one = FlowRun(flow_id=uuid4(), name="r", job_variables=run)

    async def read_flow(_flow_id: object) -> None:
        return None

    client = SimpleNamespace(read_flow=read_flow)
    its = SimpleNamespace(job_variables=deployment or {}, id=uuid4(), name="d", updated=None)
    return asyncio.run(
        Job.resolve_for_flow_run(
            one,
            client=cast("Any", client),
            work_pool=pool,
            worker_name="w",
            deployment=cast("Any", its),
        )
    )


def template_with(**defaults: Any) -> dict[str, Any]:
    template = ProcessWorker.get_default_base_job_template()
    for name, value in defaults.items():
        template["variables"]["properties"][name]["default"] = value
    return template


def refusal(code: Path, job: Job, deployment: Any = None, **options: Any) -> str:
    with pytest.raises(JobRefusedError) as refused:
        policy_of(code, **options).place(job, deployment or deployment_of(code))
    assert "\n" not in str(refused.value)
    return str(refused.value)


COMMAND = {"command": "touch /tmp/marker\n" + "x" * 500}


@attack(
    by="API caller",
    what="job_variables.command of a run, a deployment or a work pool's base job template",
    answer="Failed: who set which command, cut and escaped, and WORKER_ALLOW_JOB_OVERRIDES",
)
@pytest.mark.parametrize(
    ("job", "source"),
    [
        (lambda: job_of(run=COMMAND), "the run's job variables"),
        (lambda: job_of(deployment=COMMAND), "the deployment's job variables"),
        (lambda: job_of(template=template_with(**COMMAND)), "the work pool's base job template"),
    ],
)
def test_a_command_is_refused_and_its_source_named(code: Path, job: Any, source: str):
    message = refusal(code, job())
    assert f"{source} set command 'touch /tmp/marker\\nxxx" in message
    assert "WORKER_ALLOW_JOB_OVERRIDES=on" in message
    assert len(message) < 300


@attack(
    by="API caller",
    what="a base job template whose command is fixed, or taken from a variable of another name",
    answer="Failed, like any command",
)
def test_a_command_that_the_template_hides_is_refused(code: Path):
    template = ProcessWorker.get_default_base_job_template()
    template["job_configuration"]["command"] = "{{ labels }} {{ name }}"
    job = job_of(run={"name": "touch /tmp/marker"}, template=template)
    assert "the work pool's base job template set command" in refusal(code, job)


@attack(
    by="API caller",
    what="env of job variables: PYTHONSTARTUP, PYTHONPATH, LD_PRELOAD, PATH, PREFECT_API_URL, DATABASE_URL, proxies",
    answer="Failed: only variables of a short list may be set",
)
@pytest.mark.parametrize(
    "name",
    [
        "PYTHONSTARTUP",
        "PYTHONPATH",
        "LD_PRELOAD",
        "PATH",
        "PREFECT_API_URL",
        "PREFECT_HOME",
        "PREFECT__FLOW_ENTRYPOINT",
        "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES",
        "PREFECT_LOGGING_SETTINGS_PATH",
        "DBT_PROFILES_DIR",
        "DATABASE_URL",
        "database_url",
        "HTTPS_PROXY",
        "SSL_CERT_FILE",
        "WORKER_ALLOW_JOB_OVERRIDES",
        "tz",
        "",
    ],
)
@pytest.mark.parametrize("value", ["x", None])
def test_a_variable_that_is_not_known_to_be_harmless_is_refused(
    code: Path, name: str, value: str | None
):
    message = refusal(code, job_of(run={"env": {name: value, "TZ": "UTC"}}))
    assert f"the run's job variables set env {name!r} (" in message
    assert "WORKER_JOB_ENVIRONMENT" in message


def test_a_variable_s_value_is_not_shown_and_a_long_list_is_cut(code: Path):
    given = {f"SECRET_{number}": "canary" for number in range(9)}
    message = refusal(code, job_of(deployment={"env": given}))
    assert "set env 'SECRET_0', 'SECRET_1', 'SECRET_2' and 6 more" in message
    assert "canary" not in message


@attack(
    by="API caller",
    what='the key "env.LD_PRELOAD" instead of LD_PRELOAD in env, or env fixed in the base job template',
    answer="Failed, like any variable",
)
def test_a_variable_in_another_spelling_is_refused(code: Path):
    assert "the run's job variables set env 'LD_PRELOAD'" in refusal(
        code, job_of(run={"env.LD_PRELOAD": "/tmp/x.so"})
    )
    fixed = ProcessWorker.get_default_base_job_template()
    fixed["job_configuration"]["env"] = {"LD_PRELOAD": "/tmp/x.so"}
    for template in (fixed, template_with(env={"LD_PRELOAD": "/tmp/x.so"})):
        message = refusal(code, job_of(template=template))
        assert "the work pool's base job template set env 'LD_PRELOAD'" in message


def test_harmless_and_permitted_variables_are_given_to_the_run(code: Path):
    given = {"TZ": "Asia/Tokyo", "LC_TIME": "C", "CUSTOMER": "a", "PREFECT_LOGGING_LEVEL": "DEBUG"}
    job = job_of(deployment={"env": given})
    place = policy_of(code, environment=("CUSTOMER",)).place(job, deployment_of(code))
    assert place == Place(code, f"{code}/script.py:daily", "d")
    assert given.items() <= job.env.items()


def test_what_prefect_yaml_deploys_is_allowed(code: Path):
    for entry in catalogue():
        job = job_of(deployment=entry.deployment.work_pool.job_variables)
        its = deployment_of(project_root(), entry.deployment.entrypoint)
        place = policy_of(code).place(job, its)
        assert (place.directory, place.entrypoint) == (project_root(), its.entrypoint)


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
    assert policy_of(code).place(job, deployment_of(code, pull_steps=None)).directory == code


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
    what="an entrypoint outside the trusted folders: os.system, an installed module, a path, a link, a report file",
    answer="Failed before anything is imported: which entrypoint, and why",
)
@pytest.mark.parametrize(
    "entrypoint",
    [
        "os.system",
        "subprocess.run",
        "os:system",
        "pip.__main__.main",
        "prefect.utilities.processutils.run_process",
        "yaml.evil.flow",
        "/etc/passwd.py:flow",
        "../outside.py:flow",
        "link.py:flow",
        "reports/evil.py:flow",
        "linked/evil.py:flow",
        "reports.evil.flow",
        ".venv/lib/python3.11/site-packages/pip/__main__.py:main",
        "report.csv:flow",
        "missing.py:flow",
        "unpacked.flow",
        "team_flows.missing.flow",
        "script.py:os.system",
        "team_flows.daily:os.system",
        "script.py:x.py:flow",
        "script.py:",
        "a\0b.py:flow",
        "x" * 5000 + ".py:flow",
        "team_flows..daily.flow",
        "flow",
        "",
        None,
    ],
)
def test_an_entrypoint_that_is_not_trusted_code_is_refused(code: Path, entrypoint: str | None):
    before = set(sys.modules)
    message = refusal(code, job_of(), deployment_of(code, cast("str", entrypoint)))
    assert "the deployment's entrypoint" in message
    assert set(sys.modules) == before
    assert len(message) < 400


@pytest.mark.parametrize(
    ("entrypoint", "loaded"),
    [
        ("script.py:daily", "{code}/script.py:daily"),
        ("{code}/script.py:daily", "{code}/script.py:daily"),
        ("team_flows.daily.run", "team_flows.daily.run"),
        ("team_flows.daily:run", "team_flows.daily:run"),
        ("team_flows.run", "team_flows.run"),
        ("flows.alerts.pending.process_pending_alerts", None),
    ],
)
def test_code_in_a_trusted_folder_is_run(code: Path, entrypoint: str, loaded: str | None):
    given = entrypoint.format(code=code)
    place = policy_of(code).place(job_of(), deployment_of(code, given))
    assert place.entrypoint == (loaded or given).format(code=code)


@attack(
    by="API caller",
    what="a run without a deployment, or on a worker that installs dependencies for its runs",
    answer="Failed: neither has code of a trusted folder alone",
)
def test_a_run_that_only_prefect_could_start_is_refused(code: Path):
    with pytest.raises(JobRefusedError, match="no deployment"):
        policy_of(code).place(job_of(), None)
    with temporary_settings({PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES: True}):
        assert "PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES" in refusal(code, job_of())


def test_a_code_folder_that_the_worker_writes_into_is_refused_when_it_starts(code: Path):
    with pytest.raises(CodeFolderError, match=r"WORKER_CODE_FOLDERS: .*linked is inside"):
        CodeFolders.of(project_root(), [code / "linked"], [code / "reports"])
    with pytest.raises(CodeFolderError, match="is not a folder"):
        CodeFolders.of(project_root(), [code / "missing"], [])


def test_a_project_below_the_state_directory_is_still_trusted(tmp_path: Path):
    project = tmp_path / "app"
    (project / "state").mkdir(parents=True)
    folders = CodeFolders.of(project, [], [tmp_path, project / "state"])
    assert folders.contain(project / "flow.py")
    assert not folders.contain(project / "state/flow.py")
    assert not folders.contain(tmp_path / "flow.py")
