"""Run the dbt tests: data tests and unit tests.

Reads the dbt project and the warehouse; writes one row per run in ``ops.dbt_runs`` and one per test
in ``ops.dbt_node_results``. Tests only read: safe to repeat.
"""

from prefect import Task

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import DBT_TEST
from flows.dbt._arguments import check_arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow_result import finish_run
from flows.dbt._sample_project import sample_without_sources
from flows.dbt._workspace import workspace

run_tests = Task(attempt, name="dbt test", **DBT_TEST)


@flow(timeout_seconds=1800)
def run_dbt_tests(dbt_args: list[str] | None = None) -> DbtResult:
    """Run dbt tests; the run fails if a test fails.

    Args:
        dbt_args: Options of `dbt test`, such as ``["--select", "kpis"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    with workspace() as folders:
        if nothing_to_run := sample_without_sources(folders.project):
            return nothing_to_run
        arguments = check_arguments("test", dbt_args or [], folders.project)
        dbt_run = DbtRun(("test",), arguments, folders, flow_limit_seconds())
        run_with_retries(dbt_run, run_tests)
        return finish_run(dbt_run, artifact="dbt-run-tests", unit="tests")
