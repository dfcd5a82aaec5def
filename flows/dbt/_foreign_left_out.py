"""Leave models out of a command of DBT_EXECUTABLE, which has no option to skip them: by excluding them.

Reads the manifest of the step that failed before them; writes nothing.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analytics_worker.settings import settings
from analytics_worker.text import counted
from flows.dbt._arguments import Arguments
from flows.dbt._dbt_artifacts import NodeResult
from flows.dbt._failures import DbtProjectError
from flows.dbt._left_out import skipped_models
from flows.dbt._run_results import merged
from flows.dbt._selection import exclusions


def without_left_out(arguments: Arguments, left_out: Mapping[str, str], folder: Path) -> Arguments:
    """Return the arguments that exclude the models, if another executable runs dbt.

    Args:
        arguments: Those of the command.
        left_out: Why models are left out, by unique id.
        folder: Folder of the run.

    Raises:
        DbtProjectError: they can't be excluded, and would be built from failed data.
    """
    if not (left_out and settings().dbt_executable):
        return arguments
    excluded = list(exclusions(set(left_out), _manifest(folder)))
    if "--selector" in arguments.options or len(excluded) < len(left_out):
        raise DbtProjectError(
            f"{counted(len(left_out), 'model')} can't be left out with DBT_EXECUTABLE and these options, so none"
            f" was run: {next(iter(left_out.values()))}"
        )
    lists = {**arguments.lists, "--exclude": [*arguments.lists.get("--exclude", []), *excluded]}
    return replace(arguments, lists=lists)


def excluded_nodes(left_out: Mapping[str, str], folder: Path) -> dict[str, NodeResult]:
    """Return the models that were excluded, as skipped nodes; those of no other run of dbt."""
    if not (left_out and settings().dbt_executable):
        return {}
    models = skipped_models(_manifest(folder), "")
    return {unique_id: node for unique_id, node in models.items() if unique_id in left_out}


def _manifest(folder: Path) -> Mapping[str, Any]:
    return merged(folder, "manifest.json") or {}
