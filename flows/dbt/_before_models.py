"""Run what DBT_BEFORE_MODELS lists before a dbt command, under the lock of its run.

Reads the dbt project; `deps` writes the packages into it, `seed` and `snapshot` write their relations.
dbt replaces seeds and adds to snapshots only what changed, so repeating a step is safe. Models that read
a failed seed or snapshot are skipped, with the reason; the other models are run.
"""

from collections.abc import Sequence

from prefect import get_run_logger

from analytics_worker.database.connections import APPLICATION_NAME_BYTES, application_name
from analytics_worker.settings import settings
from flows.dbt._arguments import Arguments
from flows.dbt._attempts import DbtRun, next_command
from flows.dbt._dbt_artifacts import DbtOutcome, is_failed
from flows.dbt._failures import DbtProjectError, DbtUnavailableError, unavailable_error
from flows.dbt._left_out import readers, skipped_models
from flows.dbt._packages import install_error, packages_changed, remember_packages
from flows.dbt._process import DbtDeadlineError
from flows.dbt._run_results import read_document
from flows.dbt._runner import run_dbt
from flows.dbt._workspace import Workspace, create_folder
from flows.dbt.state.folder import MANIFEST

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


def report_left_out(dbt_run: DbtRun) -> None:
    """Add the models as skipped nodes, if a step failed in such a way that none of them was run.

    Which of them a selection means is unknown then: only dbt could say so.
    """
    if dbt_run.error is None or dbt_run.nodes or dbt_run.arguments.selection:
        return
    for step in _steps(dbt_run):
        manifest = dbt_run.workspace.folder / step / "target" / MANIFEST
        if step not in dbt_run.steps_done and (document := read_document(manifest)):
            dbt_run.nodes = skipped_models(
                document, f"not run: dbt {step} failed before the models"
            )
            dbt_run.left_out = dict.fromkeys(dbt_run.nodes, "")


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
        if outcome.crashed:
            raise DbtUnavailableError(f"dbt deps, before {dbt_run.title}: {outcome.error}")
        if outcome.error:
            raise DbtProjectError(install_error(outcome.error, dbt_run.workspace.project))
        remember_packages(dbt_run.workspace)


def _build(dbt_run: DbtRun, step: str) -> None:
    folder = create_folder(dbt_run.workspace, step)
    outcome = _dbt(dbt_run, step, folder)
    dbt_run.step_nodes |= outcome.nodes
    if outcome.service_failure:
        failure = outcome.service_failure
        raise unavailable_error(failure, f"dbt {step}, before the models: {failure}")
    if outcome.error:
        raise DbtProjectError(f"dbt {step} failed, so the models were not run: {outcome.error}")
    failed = [node for node in outcome.nodes.values() if is_failed(node)]
    dbt_run.left_out |= readers(failed, folder.manifest())


def _dbt(dbt_run: DbtRun, step: str, workspace: Workspace) -> DbtOutcome:
    get_run_logger().info("dbt %s, before %s", step, dbt_run.title)
    arguments = Arguments(tuple(_options(step, dbt_run.arguments.options)))
    done = {key: node for key, node in dbt_run.step_nodes.items() if node["resource_type"] == step}
    command, options = next_command((step,), arguments, done, workspace)
    outcome = run_dbt(
        command,
        options,
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
