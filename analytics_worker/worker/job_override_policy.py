"""Decide what a run's job variables and deployment may change about how its process is started.

Everything that the Prefect API stores can be written by every client that may call it: job variables of a run,
of its deployment and of its work pool, pull steps, entrypoints. Unless overrides are allowed, none of
it can choose what code runs. Pure decisions over what was read; writes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect.client.schemas.responses import DeploymentResponse
from prefect.settings import get_current_settings

from analytics_worker.source_version import is_source_version
from analytics_worker.text import first_of
from analytics_worker.worker.allowed_environment_variables import OF_PERMITTED, rule_for
from analytics_worker.worker.code_folders import CodeFolders, UntrustedCodeError
from analytics_worker.worker.job import Job
from analytics_worker.worker.own_checkout import is_of_this_project, version_difference
from analytics_worker.worker.run_spec import SET_FOLDER, CodeLocation, code_location_in, folder_of

SETTING = "WORKER_ALLOW_JOB_OVERRIDES"
FOLDERS = f"WORKER_CODE_FOLDERS or {SETTING}=on"
QUOTED_LENGTH = 80
QUOTED_NAMES = 3
STEP_KEYS = {"directory", "id"}
UPDATE = "Update the older one and run `analytics-worker deploy`"


class JobRefusedError(Exception):
    """A run is not started; the message names the override, its source, and the setting that allows it."""

    def __init__(self, reason: str, setting: str | None = f"{SETTING}=on") -> None:
        """State the reason, and what to set on the worker; None: no setting makes it valid."""
        remedy = f" ({setting} on the worker allows it)" if setting else ""
        super().__init__(f"Refused: {reason}{remedy}.")


def quoted(value: object) -> str:
    """Return the text of an API caller in one line: control characters escaped, cut."""
    text = str(value)
    return repr(text if len(text) <= QUOTED_LENGTH else f"{text[:QUOTED_LENGTH]}…")


@dataclass(frozen=True)
class JobPolicy:
    """The allowed job overrides.

    Attributes:
        allow_overrides: Start a run with all overrides that it requests.
        folders: Folders whose code runs may execute.
        environment: Variables that jobs may set, besides the harmless ones.
        strict_version: Refuse runs of this project whose deployment was made from another version.
    """

    allow_overrides: bool
    folders: CodeFolders
    environment: Collection[str] = ()
    strict_version: bool = False

    def check(self, job: Job) -> None:
        """Refuse what no setting allows: its process would end before it could report the reason.

        Raises:
            JobRefusedError: the job variables are not valid.
        """
        if job.mistake is not None:
            raise JobRefusedError(job.mistake, None)
        for name, value in job.requested_environment.items():
            rule = rule_for(name, self.environment) or OF_PERMITTED
            if value is not None and not rule.accepts(value):
                where, written = job.source_of_variable(name)
                raise JobRefusedError(
                    f"{where} set env {quoted(name)} to {quoted(written)}; expected {rule.expected}",
                    None,
                )

    def code_location(self, job: Job, deployment: DeploymentResponse | None) -> CodeLocation:
        """Return where a run is executed.

        Raises:
            JobRefusedError: it requests an override that is not allowed.
        """
        self._check_command(job)
        self._check_environment(job)
        self._check_working_dir(job)
        if deployment is None:
            raise JobRefusedError("the run has no deployment, so no code of a trusted folder")
        if get_current_settings().runner.auto_install_dependencies:
            raise JobRefusedError("PREFECT_RUNNER_AUTO_INSTALL_DEPENDENCIES installs packages")
        directory = self._directory(deployment, job.working_dir)
        note = self._version_note(deployment, directory)
        entrypoint = self._entrypoint(deployment, directory, note)
        return CodeLocation(directory, entrypoint, deployment.name, note)

    def any_code_location(self, deployment: DeploymentResponse) -> CodeLocation | None:
        """Return where a run is executed if overrides are allowed; None if it takes more than a folder.

        Raises:
            JobRefusedError: another version of the code was deployed, and that is refused.
        """
        directory = folder_of(deployment)
        if directory is None:
            return None
        directory = self._own_checkout(deployment, directory)
        note = self._version_note(deployment, directory)
        location = code_location_in(directory, deployment)
        return location and replace(location, note=note)

    def _own_checkout(self, deployment: DeploymentResponse, folder: Path) -> Path:
        """Return this checkout for a deployment of this project, whichever host's folder it names."""
        if not is_of_this_project(deployment) or self.folders.trust(folder):
            return folder
        is_known = is_source_version(deployment.version)
        is_other = self.allow_overrides and folder.is_dir() and not is_known
        return folder if is_other else self.folders.project

    def _version_note(self, deployment: DeploymentResponse, directory: Path) -> str | None:
        """Return how the version of the code differs from the deployed one, if it does.

        Raises:
            JobRefusedError: it differs, and that is refused.
        """
        is_own = self.folders.is_project(directory)
        difference = version_difference(deployment) if is_own else None
        if difference is None:
            return None
        if self.strict_version:
            raise JobRefusedError(f"{difference}. {UPDATE}", "WORKER_STRICT_VERSION=off")
        return f"{difference[0].upper()}{difference[1:]}. {UPDATE}."

    def _check_command(self, job: Job) -> None:
        if job.has_command:
            where, text = job.source_of("command")
            raise JobRefusedError(f"{where} set command {quoted(text)}")

    def _check_environment(self, job: Job) -> None:
        names = sorted(name for name in job.requested_environment if not self._is_permitted(name))
        if names:
            where, _ = job.source_of_variable(names[0])
            shown = first_of([*map(quoted, names)], QUOTED_NAMES)
            raise JobRefusedError(
                f"{where} set env {shown}", f"WORKER_JOB_ENVIRONMENT or {SETTING}=on"
            )

    def _is_permitted(self, name: str) -> bool:
        return rule_for(name, self.environment) is not None

    def _check_working_dir(self, job: Job) -> None:
        if job.working_dir is not None and not self.folders.allow_start_in(job.working_dir):
            where, text = job.source_of("working_dir")
            raise JobRefusedError(
                f"{where} set working_dir {quoted(text)}, which is not inside a trusted folder",
                FOLDERS,
            )

    def _directory(self, deployment: DeploymentResponse, working_dir: Path | None) -> Path:
        steps = deployment.pull_steps or []
        folder = _folder_of_steps(steps) if steps else working_dir
        if folder is None:
            raise JobRefusedError("the deployment has no pull step that sets a trusted folder")
        folder = self._own_checkout(deployment, folder)
        if not self.folders.allow_start_in(folder):
            raise JobRefusedError(
                f"the deployment's pull step sets the folder {quoted(folder)}, which is not inside"
                " a trusted folder",
                FOLDERS,
            )
        if not folder.is_dir():
            raise JobRefusedError(f"the deployment's folder {quoted(folder)} is not on this host")
        return folder.resolve()

    def _entrypoint(self, deployment: DeploymentResponse, directory: Path, note: str | None) -> str:
        entrypoint = deployment.entrypoint or ""
        try:
            return self.folders.locate(entrypoint, directory)
        except (UntrustedCodeError, ValueError, OSError) as error:
            reason = str(error) if isinstance(error, UntrustedCodeError) else "it is not a path"
            reason = f"{reason}; {note[0].lower()}{note[1:].rstrip('.')}" if note else reason
            raise JobRefusedError(
                f"the deployment's entrypoint {quoted(entrypoint)} cannot be run: {reason}",
                FOLDERS,
            ) from None


def _folder_of_steps(steps: Sequence[Mapping[str, Any]]) -> Path:
    """Return the folder, if setting it is all that the pull steps do.

    Raises:
        JobRefusedError: they do anything else.
    """
    for step in steps:
        for name in step:
            if name != SET_FOLDER:
                raise JobRefusedError(f"the deployment has the pull step {quoted(name)}")
    inputs = [step.get(SET_FOLDER) for step in steps]
    folder = inputs[0]
    if len(inputs) != 1 or not isinstance(folder, Mapping):
        raise JobRefusedError(f"the deployment has {len(inputs)} pull steps; expected one")
    others = folder.keys() - STEP_KEYS
    if others:
        raise JobRefusedError(f"the deployment's pull step sets {quoted(min(others))}")
    directory = str(folder.get("directory", ""))
    if not directory.startswith("/") or "{{" in directory or "\0" in directory:
        raise JobRefusedError(f"the deployment's folder {quoted(directory)} is not absolute")
    return Path(directory)
