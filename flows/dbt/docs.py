"""Generate the dbt documentation as one static page.

Reads the dbt project and the warehouse's catalog; writes ``<state_dir>/dbt-docs/docs-<time>.html``
and replaces ``index.html`` beside it, both atomically, and one row in ``ops.dbt_runs``. The newest
five pages are kept. Safe to repeat.
"""

from datetime import datetime
from pathlib import Path
from typing import NotRequired

from prefect import Task

from analytics_worker.prefect_support.retries import DBT_DOCS
from analytics_worker.settings import settings
from flows.dbt._arguments import Arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._flow_result import finish_run
from flows.dbt._workspace import publish, workspace

MAX_PAGES = 5
PAGE = "static_index.html"


class DocsResult(DbtResult):
    """A dbt result, with the page if it was generated."""

    path: NotRequired[str]
    bytes: NotRequired[int]


generate_docs = Task(attempt, name="dbt docs generate", **DBT_DOCS)


@dbt_flow(timeout_seconds=600)
def dbt_docs_generate() -> DocsResult:
    """Generate dbt documentation: one HTML file that needs no server."""
    with workspace() as folders:
        dbt_run = DbtRun(
            ("docs", "generate"),
            Arguments(("--static",)),
            folders,
            flow_limit_seconds(),
            shows_nodes=False,  # they are only compiled
        )
        run_with_retries(dbt_run, generate_docs)
        result = DocsResult(**finish_run(dbt_run, artifact="dbt-docs-generate", unit="nodes"))
        if result["status"] == "success":
            page = publish_page(folders.target / PAGE, dbt_run.started_at)
            result["path"], result["bytes"] = str(page), page.stat().st_size
        return result


def docs_folder() -> Path:
    """Return the folder of the pages."""
    return settings().state_dir / "dbt-docs"


def publish_page(source: Path, at: datetime) -> Path:
    """Store the page with its timestamp and as ``index.html``; delete all but the newest five."""
    folder = docs_folder()
    page = folder / f"docs-{at:%Y%m%dT%H%M%S%fZ}.html"
    publish(source, page)
    publish(source, folder / "index.html")
    for old in sorted(folder.glob("docs-*.html"))[:-MAX_PAGES]:
        old.unlink(missing_ok=True)
    return page
