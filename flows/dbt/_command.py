"""Run one dbt command as a flow does: check, prepare, run, record, publish.

Reads the dbt project; dbt writes to the warehouse as the project defines.
"""

from collections.abc import Sequence

from prefect import Task

from flows.dbt._arguments import check_arguments
from flows.dbt._attempts import DbtRun, flow_limit_seconds, run_with_retries
from flows.dbt._before_models import report_left_out, run_before
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow_result import finish_run
from flows.dbt._sample_project import sample_without_sources
from flows.dbt._workspace import workspace
from flows.dbt.state.production import keep_state, provide_sources


def run_command(
    command: str,
    dbt_args: Sequence[str] | None,
    attempt_task: Task[[DbtRun], None],
    *,
    artifact: str,
    unit: str,
) -> DbtResult:
    """Run ``dbt <command> <dbt_args>``; return its recorded result.

    Args:
        command: The subcommand.
        dbt_args: Options of the caller, not checked yet.
        attempt_task: `attempt` as a task, with the retries of the flow.
        artifact: Key of its table in the Prefect UI.
        unit: Plural name of the nodes, for the message.
    """
    with workspace() as folders:
        if nothing_to_run := sample_without_sources(folders.project):
            return nothing_to_run
        arguments = check_arguments(command, dbt_args or [], folders.project)
        provide_sources(folders, arguments)
        dbt_run = DbtRun((command,), arguments, folders, flow_limit_seconds(), before=run_before)
        run_with_retries(dbt_run, attempt_task)
        report_left_out(dbt_run)
        unit = "nodes" if dbt_run.step_nodes else unit
        result = finish_run(dbt_run, artifact=artifact, unit=unit)
        keep_state(dbt_run, result)
        return result
