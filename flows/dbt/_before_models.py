"""Run what DBT_BEFORE_MODELS lists before a dbt command, under the lock of its run.

Reads the dbt project; `deps` writes the packages into it, `seed` and `snapshot` write their relations.
dbt replaces seeds and adds to snapshots only what changed, so repeating a step is safe. Models that read
a failed seed or snapshot are not run; the other models are.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from prefect import get_run_logger

from analytics_worker.database.connections import APPLICATION_NAME_BYTES, application_name
from analytics_worker.settings import settings
from flows.dbt._attempts import DbtRun
from flows.dbt._dbt_artifacts import (
    DbtOutcome,
    NodeResult,
    is_failed,
)
from flows.dbt._failures import DbtProjectError, unavailable_error
from flows.dbt._packages import install_error, packages_changed, remember_packages
from flows.dbt._process import DbtDeadlineError
from flows.dbt._runner import run_dbt
from flows.dbt._workspace import Workspace, create_folder

PASSED_ON = frozenset({"--profile", "--target", "-t", "--threads", "--vars"})
NOT_IN_DEPS = frozenset({"--threads"})
BUILDS_NO_DATA = frozenset({"--empty", "--sample"})


def run_before(dbt_run: DbtRun) -> None:
    """Run the steps that this run needs and has not done yet.

    Raises:
        DbtUnavailableError: a step failed for a reason outside the project.
        DbtProjectError: a step failed, so that nothing after it can run; the message names it.
        DbtDeadlineError: the time limit passed.
    """
    for step in _steps(dbt_run):
        if step not in dbt_run.steps_done:
            _run_step(dbt_run, step)
            dbt_run.steps_done.add(step)


def _steps(dbt_run: DbtRun) -> list[str]:
    """Return all steps for `dbt run`, the installation of packages for other commands."""
    steps: list[str] = list(settings().dbt_before_models)
    if dbt_run.command == ("run",) and not BUILDS_NO_DATA & set(dbt_run.arguments.options):
        return steps
    return [step for step in steps if step == "deps"]


def _run_step(dbt_run: DbtRun, step: str) -> None:
    if step != "deps":
        _build(dbt_run, step)
    elif packages_changed(dbt_run.workspace):
        outcome = _dbt(dbt_run, step, dbt_run.workspace)
        if outcome.error:
            raise DbtProjectError(install_error(outcome.error, dbt_run.workspace.project))
        remember_packages(dbt_run.workspace)


def _build(dbt_run: DbtRun, step: str) -> None:
    outcome = _dbt(dbt_run, step, create_folder(dbt_run.workspace, step))
    dbt_run.step_nodes |= outcome.nodes
    if outcome.service_failure:
        failure = outcome.service_failure
        raise unavailable_error(failure, f"dbt {step}, before the models: {failure}")
    if outcome.error:
        raise DbtProjectError(f"dbt {step} failed, so the models were not run: {outcome.error}")
    failed = [node for node in outcome.nodes.values() if is_failed(node)]
    if failed:
        _exclude_readers(dbt_run, step, failed)


def _dbt(dbt_run: DbtRun, step: str, workspace: Workspace) -> DbtOutcome:
    get_run_logger().info("dbt %s, before %s", step, dbt_run.title)
    outcome = run_dbt(
        [step],
        _options(step, dbt_run.arguments.options),
        workspace,
        name=f"dbt:{application_name()}"[:APPLICATION_NAME_BYTES],
        deadline=dbt_run.deadline,
    )
    if outcome.timed_out:
        limit = f"limit {dbt_run.limit_seconds:g} s"
        raise DbtDeadlineError(
            f"dbt {step}, before the models, was stopped after {dbt_run.seconds:.0f} s: {limit}"
        )
    return outcome


def _options(step: str, options: Sequence[str]) -> list[str]:
    """Return the options of the command that choose connection and variables."""
    names = PASSED_ON - NOT_IN_DEPS if step == "deps" else PASSED_ON
    return [
        part
        for position, option in enumerate(options)
        if option in names
        for part in options[position : position + 2]
    ]


def _exclude_readers(dbt_run: DbtRun, step: str, failed: Iterable[NodeResult]) -> None:
    """Exclude the models that read a failed node: they would be built on missing or old rows."""
    names = sorted(node["name"] for node in failed)
    if "--selector" in dbt_run.arguments.options:  # dbt ignores exclusions beside it
        raise DbtProjectError(f"dbt {step} failed ({', '.join(names)}), so the models were not run")
    get_run_logger().warning(
        "dbt %s failed for %s: models that read it are not run", step, ", ".join(names)
    )
    lists = dbt_run.arguments.lists
    excluded = [*lists.get("--exclude", []), *(f"fqn:{name}+" for name in names)]
    dbt_run.arguments = replace(dbt_run.arguments, lists={**lists, "--exclude": excluded})
