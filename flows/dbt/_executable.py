"""Run the dbt that DBT_EXECUTABLE names: what it is given, and whether it did what it says.

Reads profiles.yml and the artifacts of dbt; writes a copy of profiles.yml into the folder of the run, whose
connections take name and limits from libpq's variables. An artifact counts only if this process of dbt has written it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import yaml

from analytics_worker.database.libpq_environment import psql_variables
from analytics_worker.database.urls import MissingDatabaseError, direct_url, parameters_of
from analytics_worker.dbt_executable import DbtExecutable, checked_executable, foreign_environment
from analytics_worker.text import counted
from flows.dbt._dbt_artifacts import (
    RUN_RESULTS,
    BrokenArtifactError,
    NodeResult,
    is_failed,
    read_nodes,
)
from flows.dbt._event_reader import EventReader
from flows.dbt._workspace import Workspace

PROGRAM = Path(__file__).with_name("_executable_main.py")
OUTPUT = (
    *("--log-format", "json", "--log-level", "info"),
    *("--log-level-file", "none", "--no-use-colors"),
)
ARTIFACTS = {"source": "sources.json", "docs": "catalog.json", "deps": None}
"""What proves that a command was done, by its first word; for all others the results of its nodes."""
NAMED_BY_PROFILE = frozenset({"DBT_HOST", "DBT_USER", "DBT_DBNAME"})
IN_PROFILE: frozenset[str] = frozenset(
    {"host", "port", "user", "password", "dbname", "application_name", "sslmode"}
)
CLOCK_TOLERANCE = timedelta(seconds=2)


@dataclass(frozen=True)
class ExecutableRun:
    """One command of a dbt executable."""

    executable: DbtExecutable
    command: Sequence[str]
    workspace: Workspace
    started: datetime

    @property
    def profiles(self) -> Path:
        """Folder of the copy of profiles.yml."""
        return self.workspace.folder / "profiles"

    @property
    def artifact(self) -> Path | None:
        """The file that proves that the command was done."""
        name = ARTIFACTS.get(self.command[0], RUN_RESULTS)
        return None if name is None else self.workspace.target / name

    def environment(
        self, environment: Mapping[str, str], name: str, limits: Mapping[str, str]
    ) -> dict[str, str]:
        """Return the variables of dbt, which name and limit its connections."""
        own = foreign_environment(environment) | _parameters(self.workspace.profiles)
        _write_profiles(self.workspace.profiles, self.profiles)
        options = [own.get("PGOPTIONS", "")]
        options += [f"-c {limit}={value}" for limit, value in limits.items()]
        return own | {"PGAPPNAME": name, "PGOPTIONS": " ".join(filter(None, options))}

    def problem(self, done: Mapping[str, Any]) -> str:
        """Return why the artifact proves nothing; empty if it was written by this process."""
        artifact, title = self.artifact, f"dbt {' '.join(self.command)}"
        if artifact is None:
            return ""
        if not artifact.is_file():
            return f"{title} wrote no {artifact.name}, so nothing shows that it was done"
        metadata = _metadata(artifact)
        written = _time(metadata.get("generated_at"))
        if written is None or written < self.started - CLOCK_TOLERANCE:
            when = f"of {written:%Y-%m-%d %H:%M:%S} UTC" if written else "without a time"
            return f"{title} left a {artifact.name} {when}, which is not of this run"
        known: Sequence[str] = done.get("invocations") or []
        if known and str(metadata.get("invocation_id")) not in known:
            return f"{title} left a {artifact.name} of another invocation of dbt"
        return ""


def executable_run(command: Sequence[str], workspace: Workspace) -> ExecutableRun | None:
    """Return how to run the command with DBT_EXECUTABLE; None if the installed dbt runs it.

    Removes the results of an earlier attempt: they must not pass for those of this one.

    Raises:
        DbtExecutableError: DBT_EXECUTABLE names nothing that can run dbt.
    """
    executable = checked_executable()
    if executable is None:
        return None
    run = ExecutableRun(executable, command, workspace, datetime.now(UTC))
    for artifact in (workspace.target / RUN_RESULTS, run.artifact):
        if artifact is not None:
            artifact.unlink(missing_ok=True)
    return run


def proven_nodes(run: ExecutableRun, reader: EventReader) -> dict[str, NodeResult]:
    """Return the nodes of the artifact; the outcome gets an error if it does not prove what dbt says."""
    outcome = reader.outcome
    problem = run.problem(reader.done)
    nodes: dict[str, NodeResult] = {}
    if not problem:
        try:
            nodes = read_nodes(run.workspace.target)
        except (BrokenArtifactError, KeyError, TypeError, ValueError, AttributeError) as error:
            problem = f"the results of dbt {' '.join(run.command)} can't be read: {error}"
    if reader.finished and not outcome.timed_out and outcome.error is None:
        outcome.error = problem or _contradiction(run, reader, nodes) or None
    return nodes


def _contradiction(run: ExecutableRun, reader: EventReader, nodes: Mapping[str, NodeResult]) -> str:
    """Return what is wrong although there are results: a failure without one, or nodes without one."""
    if reader.done.get("exit_status") and not any(map(is_failed, nodes.values())):
        return reader.clean(str(reader.done.get("last_error")))
    missing = reader.node_count - len(nodes)
    if missing > 0 and run.command[0] not in ARTIFACTS and run.command[0] != "run-operation":
        return f"{counted(missing, 'node')} of {reader.node_count} have no result in {RUN_RESULTS}"
    return ""


def _metadata(artifact: Path) -> dict[str, Any]:
    try:
        document = json.loads(artifact.read_bytes())
    except (OSError, ValueError):
        return {}
    metadata = document.get("metadata") if isinstance(document, dict) else None
    return cast("dict[str, Any]", metadata) if isinstance(metadata, dict) else {}


def _time(value: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _parameters(profiles: Path) -> dict[str, str]:
    """Return libpq's variables for what profiles.yml can't express, if it uses the worker's connection."""
    try:
        text = (profiles / "profiles.yml").read_text(errors="replace")
        parameters: dict[str, str] = dict(parameters_of(direct_url()))
    except (OSError, MissingDatabaseError):
        return {}
    if not all(name in text for name in NAMED_BY_PROFILE):
        return {}
    return psql_variables({k: v for k, v in parameters.items() if k not in IN_PROFILE})


def _write_profiles(source: Path, folder: Path) -> None:
    """Copy profiles.yml without application names, which would win over that of the run.

    The copy is the same for each run: dbt parses the whole project again if its connection changes.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    text = (source / "profiles.yml").read_text(errors="surrogateescape")
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError:
        document = None  # dbt says what is wrong with it
    for output in _outputs(document):
        output["application_name"] = ""
    copy = yaml.safe_dump(document, sort_keys=False) if isinstance(document, dict) else text
    (folder / "profiles.yml").write_text(copy, errors="surrogateescape")


def _outputs(document: Any) -> list[dict[str, Any]]:
    profiles = document.values() if isinstance(document, dict) else ()
    outputs = [profile.get("outputs") for profile in profiles if isinstance(profile, dict)]
    known = [each for each in outputs if isinstance(each, dict)]
    return [output for each in known for output in each.values() if isinstance(output, dict)]
