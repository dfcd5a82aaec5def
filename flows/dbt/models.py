"""Build the dbt models.

Reads the dbt project and the sources in the warehouse; writes the relations of the models, one row per
run in ``ops.dbt_runs`` and one per node in ``ops.dbt_node_results``. dbt replaces what it builds, so
running it twice is safe.
"""

from prefect import Task

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import DBT_RUN
from flows.dbt._arguments import check_arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow_result import finish_run
from flows.dbt._sample_project import sample_without_sources
from flows.dbt._workspace import workspace

run_models = Task(attempt, name="dbt run", **DBT_RUN)


@flow(timeout_seconds=3600)
def run_dbt_models(dbt_args: list[str] | None = None) -> DbtResult:
    """Run dbt models.

    Args:
        dbt_args: Options of `dbt run`, such as ``["--models", "staging", "kpis"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    with workspace() as folders:
        if nothing_to_run := sample_without_sources(folders.project):
            return nothing_to_run
        arguments = check_arguments("run", dbt_args or [], folders.project)
        dbt_run = DbtRun(("run",), arguments, folders, flow_limit_seconds())
        run_with_retries(dbt_run, run_models)
        return finish_run(dbt_run, artifact="dbt-run-models", unit="models")
