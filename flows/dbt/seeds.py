"""Load the seeds (CSV files) of the dbt project.

Reads the dbt project; writes the tables of the seeds, one row per run in ``ops.dbt_runs`` and one per seed
in ``ops.dbt_node_results``. dbt replaces the rows of a seed, so running it twice is safe.
"""

from prefect import Task

from analytics_worker.prefect_support.retries import DBT_RUN
from flows.dbt._attempts import attempt
from flows.dbt._command import run_command
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._run_names import name_of, outcome

load_seeds = Task(attempt, name="dbt seed", **DBT_RUN)


@dbt_flow(timeout_seconds=1800, run_name=name_of("dbt seed"), outcome=outcome)
def dbt_seed(dbt_args: list[str] | None = None) -> DbtResult:
    """Load the seeds of the dbt project.

    Args:
        dbt_args: Options of `dbt seed`, such as ``["--select", "countries", "--full-refresh"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
    """
    return run_command("seed", dbt_args, load_seeds, artifact="dbt-seed", unit="seeds")
