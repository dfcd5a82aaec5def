"""Recognize the sample's dbt project, whose folders the registry's nightly selection names.

Reads the names of the models of the project; writes nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analytics_worker.settings import project_root, settings

SAMPLE_MODELS = ("staging/crm/stg_crm__*.sql", "kpis/*_kpis.sql")
SAMPLE_SELECTION = ["--models", "staging", "kpis"]


def is_sample_project(project: Path | None = None) -> bool:
    """Whether all models of a project, DBT_PROJECT_PATH by default, are those of the sample."""
    project = project or settings().dbt_project_path
    if project != project_root() / "dbt_project":
        return False
    models = project / "models"
    return all(
        any(path.relative_to(models).match(pattern) for pattern in SAMPLE_MODELS)
        for path in models.rglob("*.sql")
    )


def without_sample_selection(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a run; the sample's selection only for the sample's project.

    In another project it would build the folders that happen to have these names, and nothing else.
    """
    if parameters.get("dbt_args") != SAMPLE_SELECTION or is_sample_project():
        return dict(parameters)
    return {name: value for name, value in parameters.items() if name != "dbt_args"}
