"""Take the snapshots of the dbt project.

Reads the dbt project and what the snapshots select from; writes their tables, one row per run in
``ops.dbt_runs`` and one per snapshot in ``ops.dbt_node_results``. dbt adds only rows that changed since
the last time, so running it twice is safe.
"""

from prefect import Task

from analytics_worker.prefect_support.retries import DBT_RUN
from flows.dbt._attempts import attempt
from flows.dbt._command import run_command
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._run_names import name_of, outcome

take_snapshots = Task(attempt, name="dbt snapshot", **DBT_RUN)


@dbt_flow(timeout_seconds=3600, run_name=name_of("dbt snapshot"), outcome=outcome)
def dbt_snapshot(dbt_args: list[str] | None = None) -> DbtResult:
    """Take the snapshots of the dbt project.

    Args:
        dbt_args: Options of `dbt snapshot`, such as ``["--select", "orders_snapshot"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    return run_command(
        "snapshot", dbt_args, take_snapshots, artifact="dbt-snapshot", unit="snapshots"
    )
