"""Keep the artifacts of production after each run, so that dbt can compare with them.

Reads the artifacts of the run; writes a folder below DBT_STATE_DIR and a row in ``ops.dbt_states``, and
removes the oldest. A failure does not change the result of the run.
"""

import json
import shutil
import socket
from pathlib import Path
from typing import Any, cast

import yaml
from prefect import get_run_logger
from prefect.context import FlowRunContext
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError
from analytics_worker.database.connections import MissingDatabaseError, run_sql, warehouse
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.dbt._arguments import Arguments
from flows.dbt._attempts import DbtRun
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._run_results import Document, merge, merged, read_document, results_of
from flows.dbt._workspace import Workspace, publish
from flows.dbt.state.comparison import compared
from flows.dbt.state.folder import (
    MANIFEST,
    RESULTS,
    SOURCES,
    keep_files,
    project_name,
    remove_old,
    states,
    states_folder,
)

BUILDS = frozenset({"run", "build"})
HAVE_RESULTS = BUILDS | {"seed", "snapshot", "test"}
NOT_PRODUCTION = frozenset({"--empty", "--profile", "--sample"})
"""Options of a run that builds no real data, or somewhere else."""
FRESHER = "source_status:"
NOT_OF_CODE = frozenset({"result", "source_status"})
"""Methods of selections that leave modified nodes out."""


def provide_sources(workspace: Workspace, arguments: Arguments) -> None:
    """Copy the last freshness check to where dbt compares it with the kept one."""
    current = states_folder(project_name(workspace.project)) / SOURCES
    if FRESHER in arguments.selection and current.is_file():
        shutil.copyfile(current, workspace.target / SOURCES)


def keep_state(dbt_run: DbtRun, result: DbtResult) -> None:
    """Keep what this run says about production; log a warning if that fails."""
    if dbt_run.error or not is_production(dbt_run):
        return
    try:
        if dbt_run.command == ("source", "freshness"):
            _keep_freshness(dbt_run)
        elif dbt_run.command[0] in HAVE_RESULTS:
            _keep(dbt_run, result)
    except (OSError, ValueError, KeyError) as error:
        get_run_logger().warning("could not keep the state of production: %s", one_line(str(error)))


def is_production(dbt_run: DbtRun) -> bool:
    """Whether the run built real data in the target of production."""
    options = dbt_run.arguments.options
    if NOT_PRODUCTION & set(options):
        return False
    target, production = dbt_run.arguments.target, settings().dbt_production_target
    default = default_target(dbt_run.workspace)
    return (target or default) == (production or default)


def default_target(workspace: Workspace) -> str | None:
    """Return the target that profiles.yml names for the project, unrendered."""
    try:
        project = yaml.safe_load((workspace.project / "dbt_project.yml").read_text())
        profiles = yaml.safe_load((workspace.profiles / "profiles.yml").read_text())
        return cast("str | None", profiles[project["profile"]].get("target", "default"))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError):
        return None


def _keep_freshness(dbt_run: DbtRun) -> None:
    root = states_folder(project_name(dbt_run.workspace.project))
    source = dbt_run.workspace.target / SOURCES
    current = merge(d for d in (read_document(root / SOURCES), read_document(source)) if d)
    if current is not None and source.is_file():
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        source.write_text(json.dumps(current))
        publish(source, root / SOURCES)


def _keep(dbt_run: DbtRun, result: DbtResult) -> None:
    project = project_name(dbt_run.workspace.project)
    manifest = dbt_run.workspace.target / MANIFEST
    results = merged(dbt_run.workspace.folder, RESULTS)
    if results is None or not manifest.is_file():
        return
    built = dbt_run.command[0] in BUILDS and result["status"] == "success"
    files = {RESULTS: _with_earlier(project, results, manifest)}
    if built and _is_whole(dbt_run):
        files[MANIFEST] = manifest.read_bytes()
    sources = states_folder(project) / SOURCES
    if (
        built
        and sources.is_file()
        and (_is_whole(dbt_run) or FRESHER in dbt_run.arguments.selection)
    ):
        files[SOURCES] = sources.read_bytes()
    folder = keep_files(project, files)
    _record(dbt_run, project, folder, sorted(files), remove_old(project))


def _is_whole(dbt_run: DbtRun) -> bool:
    """Whether the run built all that production consists of: everything, or what a schedule says."""
    arguments = dbt_run.arguments
    if compared(arguments.lists.get("--select", [])) & NOT_OF_CODE:
        return False
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    return not arguments.selection or bool(flow_run and flow_run.auto_scheduled)


def _with_earlier(project: str, results: Document, manifest: Path) -> bytes:
    """Return the results with the earlier ones of nodes that this run left out and that still exist."""
    newest = states(project)[-1:]
    earlier = read_document(newest[0] / RESULTS) if newest else None
    known = _node_ids(read_document(manifest) or {})
    kept = {key: value for key, value in results_of(earlier or {}).items() if key in known}
    document = {**results, "results": list((kept | results_of(results)).values())}
    return json.dumps(document).encode()


def _node_ids(manifest: Document) -> set[str]:
    groups = ("nodes", "unit_tests", "sources")
    return {
        unique_id
        for group in groups
        for unique_id in cast("dict[str, Any]", manifest.get(group, {}))
    }


def _record(
    dbt_run: DbtRun, project: str, folder: Path, files: list[str], removed: list[Path]
) -> None:
    context = FlowRunContext.get()
    flow_run = context.flow_run if context else None
    try:
        with warehouse() as connection:
            run_sql(
                connection,
                "dbt/record_state",
                flow_run_id=str(flow_run.id) if flow_run else None,
                project=project,
                command=dbt_run.title,
                target=dbt_run.arguments.target,
                host=socket.gethostname(),
                folder=str(folder),
                files=files,
                removed=[str(path) for path in removed],
            )
    except (SQLAlchemyError, CircuitOpenError, MissingDatabaseError) as error:
        get_run_logger().warning("could not record the state: %s", one_line(str(error)))
