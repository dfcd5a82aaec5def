"""Resolve a run's working directory and launch options, for deployments that only set a directory.

Reads the run's deployment from the Prefect API. Code that must be fetched first, or that needs an
environment of its own, has no place here: Prefect's way of starting a run prepares those.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import get_current_settings
from prefect.utilities.processutils import sanitize_subprocess_env

from analytics_worker.preload.code_reload import Project
from analytics_worker.worker.fork_server.protocol import ForkRequest
from analytics_worker.worker.job import Job

SET_FOLDER = "prefect.deployments.steps.set_working_directory"


@dataclass(frozen=True)
class CodeLocation:
    """A folder on this host and what to run in it; ``note`` is for the run's log."""

    directory: Path
    entrypoint: str
    deployment: str
    note: str | None = None

    def variables(self, flow_run: FlowRun) -> dict[str, str]:
        """The data that identifies the run to its process."""
        return {
            "PREFECT__FLOW_RUN_ID": str(flow_run.id),
            "PREFECT__FLOW_ENTRYPOINT": self.entrypoint,
            "PREFECT__DEPLOYMENT_NAME": self.deployment,
            "PREFECT__ENABLE_CANCELLATION_AND_CRASHED_HOOKS": "false",
        }


@dataclass(frozen=True)
class LaunchOptions:
    """The options with which every run of a pool starts.

    Attributes:
        environment: Its variables, before those of the pool and of the run.
        records: Folder in which the runs' processes note their identity.
        output: File for what the runs print; None: the worker's own output.
        spare: Whether each run gets a warm process (`analytics_worker.prefect_support.warm_process`).
        project: What the fork server has imported of the flows' own code.
        any_function: Whether an entrypoint may name a function that is no flow.
    """

    environment: Mapping[str, str]
    records: Path
    output: Path | None
    spare: bool
    project: Project
    any_function: bool

    def request(
        self,
        flow_run: FlowRun,
        job: Job,
        code_location: CodeLocation,
        worker: Mapping[str, str | None],
    ) -> ForkRequest:
        """Return the request to the fork server."""
        environment = sanitize_subprocess_env(
            {**self.environment, **job.env, **code_location.variables(flow_run), **worker}
        )
        output = str(self.output) if self.output else None
        return ForkRequest(
            id="",
            kind="run",
            flow_run_id=str(flow_run.id),
            directory=str(code_location.directory),
            environment=environment,
            output=output if job.stream_output else "",
            record=str(self.records / str(flow_run.id)),
            pull_step=True,
            unload=self.project.modules_to_reload(
                code_location.directory, environment, self.environment
            ),
            spare=self.spare,
            any_function=self.any_function,
        )


def folder_of(deployment: DeploymentResponse) -> Path | None:
    """Return the folder, if setting it is all that the deployment's pull steps do."""
    steps = deployment.pull_steps or []
    if len(steps) != 1 or list(steps[0]) != [SET_FOLDER]:
        return None
    directory = str(steps[0][SET_FOLDER].get("directory", ""))
    if not directory.startswith("/") or "{{" in directory or "\0" in directory:
        return None  # relative to the worker, or a fork server that Prefect fills in
    return Path(directory)


def code_location_in(directory: Path, deployment: DeploymentResponse) -> CodeLocation | None:
    """Return the place of the deployment's code; None if it takes more than a folder."""
    if get_current_settings().runner.auto_install_dependencies:
        return None
    if not deployment.entrypoint or not directory.is_dir():
        return None
    entrypoint = deployment.entrypoint
    if ".py:" in entrypoint:
        entrypoint = os.path.join(directory, entrypoint)  # noqa: PTH118  # may end in ":flow"
    return CodeLocation(directory.resolve(), entrypoint, deployment.name)
