"""Run the dbt tests: data tests and unit tests.

Reads the dbt project and the warehouse; writes one row per run in ``ops.dbt_runs`` and one per test
in ``ops.dbt_node_results``. Tests only read: safe to repeat.
"""

from prefect import Task

from analytics_worker.prefect_support.retries import DBT_TEST
from flows.dbt._attempts import attempt
from flows.dbt._command import run_command
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._run_names import name_of, outcome

run_tests = Task(attempt, name="dbt test", **DBT_TEST)


@dbt_flow(timeout_seconds=1800, run_name=name_of("dbt test"), outcome=outcome)
def run_dbt_tests(dbt_args: list[str] | None = None) -> DbtResult:
    """Run dbt tests; the run fails if a test fails.

    Args:
        dbt_args: Options of `dbt test`, such as ``["--select", "kpis"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    return run_command("test", dbt_args, run_tests, artifact="dbt-run-tests", unit="tests")
