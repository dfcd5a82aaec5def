"""Build seeds, snapshots, models and tests of the dbt project in the order of their dependencies.

Reads the dbt project and the sources in the warehouse; writes the relations of the project, one row per
run in ``ops.dbt_runs`` and one per node in ``ops.dbt_node_results``. dbt replaces what it builds, and adds
to snapshots only what changed, so running it twice is safe.
"""

from prefect import Task

from analytics_worker.prefect_support.retries import DBT_RUN
from flows.dbt._attempts import attempt
from flows.dbt._command import run_command
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._run_names import name_of, outcome

run_build = Task(attempt, name="dbt build", **DBT_RUN)


@dbt_flow(timeout_seconds=7200, run_name=name_of("dbt build"), outcome=outcome)
def dbt_build(dbt_args: list[str] | None = None) -> DbtResult:
    """Build seeds, snapshots, models and tests; what depends on a failed node is skipped.

    Args:
        dbt_args: Options of `dbt build`, such as ``["--select", "+kpis"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    return run_command("build", dbt_args, run_build, artifact="dbt-build", unit="nodes")
