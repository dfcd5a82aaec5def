"""Build the dbt models.

Reads the dbt project and the sources in the warehouse; writes the relations of the models, one row per
run in ``ops.dbt_runs`` and one per node in ``ops.dbt_node_results``. dbt replaces what it builds, so
running it twice is safe. DBT_BEFORE_MODELS adds what runs before the models, such as seeds.
"""

from prefect import Task

from analytics_worker.prefect_support.retries import DBT_RUN
from flows.dbt._attempts import attempt
from flows.dbt._command import run_command
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._form_arguments import Exclusion, Options, Selection, form_arguments
from flows.dbt._run_names import name_of, outcome

run_models = Task(attempt, name="dbt run", **DBT_RUN)


@dbt_flow(
    timeout_seconds=3600,
    run_name=name_of("dbt run", "select"),
    outcome=outcome,
)
def run_dbt_models(
    dbt_args: Options = None,
    select: Selection = None,
    exclude: Exclusion = None,
    full_refresh: bool = False,
) -> DbtResult:
    """Run dbt models.

    Args:
        dbt_args: Options of `dbt run`, such as ``["--models", "staging", "kpis"]``.
            docs/decisions/dbt-arguments.md lists what callers may pass; the project itself is code.
        select: Models to run, in dbt's syntax, such as `staging` or `+pipeline_kpis`; all if empty.
        exclude: Models to leave out, in the same syntax.
        full_refresh: Rebuild incremental models from the beginning.
    """
    arguments = [*(dbt_args or []), *form_arguments(select, exclude, full_refresh=full_refresh)]
    return run_command("run", arguments, run_models, artifact="dbt-run-models", unit="models")
