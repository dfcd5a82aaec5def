"""Run the dbt tests: data tests and unit tests.

Reads the dbt project and the warehouse; writes one row per run in ``ops.dbt_runs`` and one per test
in ``ops.dbt_node_results``. Tests only read, so running them twice is safe.
"""

from prefect import Task

from analytics_worker.prefect_support.flow import flow
from analytics_worker.prefect_support.retries import DBT_TEST
from flows.dbt._arguments import check_arguments
from flows.dbt._attempts import Work, attempt, carry_out, flow_limit_seconds
from flows.dbt._result import report
from flows.dbt._results import DbtResult
from flows.dbt._workspace import workspace

run_tests = Task(attempt, name="dbt test", **DBT_TEST)


@flow(timeout_seconds=1800)
def run_dbt_tests(dbt_args: list[str] | None = None) -> DbtResult:
    """Run dbt tests; a failing test makes the run red.

    Args:
        dbt_args: Options of `dbt test`, such as ``["--select", "kpis"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    with workspace() as folders:
        arguments = check_arguments("test", dbt_args or [], folders.project)
        work = Work(("test",), arguments, folders, flow_limit_seconds())
        carry_out(work, run_tests)
        return report(work, artifact="dbt-run-tests", unit="tests")
