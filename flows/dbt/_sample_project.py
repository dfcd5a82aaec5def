"""Leave a team's own warehouse alone while the dbt project is the sample's, which could build nothing there.

dbt creates the schemas of a project before it finds that its sources are missing. Reads the names of the project's
models and pg_catalog; writes nothing.
"""

from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.database.connections import MissingDatabaseError, run_sql, warehouse
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.results import flow_result
from analytics_worker.sample_project import is_sample_project
from flows.dbt._dbt_artifacts import DbtResult, summary_of

NOT_LOADED = (
    "The dbt project is the sample's, and this warehouse does not have its sources (schema raw); nothing"
    " was run. Set DBT_PROJECT_PATH to your project, or load the sample: `analytics-worker sample`"
)


def sample_without_sources(project: Path) -> DbtResult | None:
    """Return the result of a run of the sample project in a warehouse without the sample; else None."""
    if not is_sample_project(project):
        return None
    try:
        with warehouse() as connection:
            if run_sql(connection, "dbt/sample_is_loaded")[0]["loaded"]:
                return None
    except (SQLAlchemyError, MissingDatabaseError, PermanentError):
        return None  # dbt reports it
    result = flow_result("skipped", NOT_LOADED)
    return DbtResult(**result, summary=summary_of([], 0), results=[], errors=[])
