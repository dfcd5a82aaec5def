"""Run a macro of the dbt project that the operator allows in DBT_OPERATIONS.

Reads the dbt project; the macro writes what it is written to. It is run once, without retries, because a
macro need not be safe to repeat.
"""

from pathlib import Path
from typing import Any

import yaml
from prefect import Task

from analytics_worker.prefect_support.retries import DBT_OPERATION
from analytics_worker.settings import settings
from flows.dbt._arguments import Arguments, typed_arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._before_models import run_before
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._flow_result import finish_run
from flows.dbt._option_values import PROJECT_FILE, DbtArgumentError, macro_arguments
from flows.dbt._run_names import outcome
from flows.dbt._workspace import workspace

run_macro = Task(attempt, name="dbt run-operation", **DBT_OPERATION)


@dbt_flow(
    timeout_seconds=3600,
    run_name=lambda values, _due: f"dbt run-operation: {values['macro']}",
    outcome=outcome,
)
def dbt_run_operation(
    macro: str, args: dict[str, Any] | None = None, target: str | None = None
) -> DbtResult:
    """Run a macro of the dbt project.

    Args:
        macro: Name of a macro in DBT_OPERATIONS, such as ``grant_select``.
        args: Its arguments: numbers, dates, or text without quotes; see
            docs/decisions/dbt-arguments.md.
        target: Target of profiles.yml; its default if empty.
    """
    with workspace() as folders:
        name = _qualified(macro, folders.project)
        chosen = typed_arguments(
            "run-operation", folders.project, target=target, variables=None, select=None
        )
        arguments = Arguments((*chosen.options, "--args", macro_arguments(args or {})))
        command = ("run-operation", name)
        dbt_run = DbtRun(command, arguments, folders, flow_limit_seconds(), before=run_before)
        run_with_retries(dbt_run, run_macro)
        return finish_run(dbt_run, artifact="dbt-run-operation", unit="macros")


def _qualified(macro: str, project: Path) -> str:
    """Return the name with that of the project: dbt also has macros that run any SQL.

    Raises:
        DbtArgumentError: the operator does not allow this macro.
    """
    allowed = settings().dbt_operations
    if macro not in allowed:
        raise DbtArgumentError(
            f"macro {macro[:60]!r} is not allowed; expected one of {', '.join(allowed) or 'none'}. The"
            " operator allows others in DBT_OPERATIONS."
        )
    return f"{yaml.safe_load((project / PROJECT_FILE).read_text())['name']}.{macro}"
