"""Where a run's code is, if it takes nothing but a folder to run it.

Reads the run's deployment from the Prefect API. Code that must be fetched first, or that needs an
environment of its own, has no place here: Prefect's way of starting a run prepares those.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import get_current_settings
from prefect.workers.process import ProcessJobConfiguration

SET_FOLDER = "prefect.deployments.steps.set_working_directory"


class Job(ProcessJobConfiguration):
    """Prefect's job configuration."""

    @property
    def can_be_forked(self) -> bool:
        """Whether nobody asked for a command or folder of its own."""
        return not self._command_configured and self.working_dir is None


@dataclass(frozen=True)
class Place:
    """A folder on this host and what to run in it."""

    directory: Path
    entrypoint: str
    deployment: str


async def place_of(client: PrefectClient, flow_run: FlowRun) -> Place | None:
    """The place of the run's deployment; None if it takes more than a folder."""
    if not flow_run.deployment_id or get_current_settings().runner.auto_install_dependencies:
        return None
    deployment = await client.read_deployment(flow_run.deployment_id)
    directory = _only_step(deployment)
    if directory is None or not deployment.entrypoint or not directory.is_dir():
        return None
    entrypoint = deployment.entrypoint
    if ".py:" in entrypoint:
        entrypoint = os.path.join(directory, entrypoint)  # noqa: PTH118  # may end in ":flow"
    return Place(directory.resolve(), entrypoint, deployment.name)


def _only_step(deployment: DeploymentResponse) -> Path | None:
    """The folder, if setting it is all that the deployment's pull steps do."""
    steps = deployment.pull_steps or []
    if len(steps) != 1 or list(steps[0]) != [SET_FOLDER]:
        return None
    directory = str(steps[0][SET_FOLDER].get("directory", ""))
    if not directory.startswith("/") or "{{" in directory:
        return None  # relative to the worker, or a template that Prefect fills in
    return Path(directory)
