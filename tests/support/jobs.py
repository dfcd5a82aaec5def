"""Jobs and deployments as the API may hold them, and a trusted folder to run code of."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect.client.schemas.objects import FlowRun, WorkPool
from prefect.client.schemas.responses import DeploymentResponse
from prefect.workers.process import ProcessWorker

from analytics_worker.settings import project_root
from analytics_worker.worker.code_folders import CodeFolders
from analytics_worker.worker.job import Job
from analytics_worker.worker.job_override_policy import JobPolicy, JobRefusedError
from analytics_worker.worker.run_spec import SET_FOLDER

GIT_CLONE = "prefect.deployments.steps.git_clone"
SHELL = "prefect.deployments.steps.run_shell_script"
REQUIREMENTS = "prefect.deployments.steps.pip_install_requirements"
RUN = "from prefect import flow\n@flow\ndef run(): ...\n"
SCRIPT = """
import prefect, os
from team import team_flow
SETTINGS = dict(a=1)

@prefect.flow(timeout_seconds=5)
async def daily(): ...

@os.cache
def cached(): ...

hourly = prefect.flow(name="hourly")(daily.fn)
weekly: object = daily.with_options(name="weekly")
class Steps:
    @team_flow
    def inner(self): ...

@team_flow()
def monthly(): ...
"""


def trusted_folder(tmp_path: Path) -> Path:
    """A trusted folder with a flow in a file, in a package, and with what the worker wrote."""
    folder = tmp_path / "code"
    files = {
        "reports/evil.py": "",
        "team_flows/__init__.py": RUN,
        "team_flows/daily.py": RUN,
        "team_flows/steps.py": "import os\nos.remove('data')\ndef run(): ...\n",
        "script.py": SCRIPT,
        "broken.py": "def broken(:\n",
        ".venv/lib/python3.11/site-packages/pip/__main__.py": "",
        "yaml/__init__.py": "",
        "yaml/evil.py": "",
        "unpacked/a.py": "",
        "unpacked/deep/b.py": RUN,
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
    defaults: dict[str, Any] = {"entrypoint": entrypoint, "pull_steps": steps, "name": "d"}
    defaults |= {"job_variables": {}, "version": None}
    return cast("DeploymentResponse", SimpleNamespace(**defaults | fields))


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
        policy_of(code, **options).code_location(job, deployment or deployment_of(code))
    assert "\n" not in str(refused.value)
    return str(refused.value)
