"""Generate the dbt documentation as one static page.

Reads the dbt project and the warehouse's catalog; writes ``<state_dir>/dbt-docs/docs-<time>.html``
and replaces ``index.html`` beside it, both atomically, and one row in ``ops.dbt_runs``. The newest
five pages are kept. The page is also stored beside the reports, as ``dbt-docs.html``. With a target other than
that of profiles.yml, all names end in it: ``index-dev.html``, ``dbt-docs-dev.html``. Safe to repeat.
"""

import re
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, NotRequired

from httpx import HTTPError
from prefect import Task

from analytics_worker.prefect_support.retries import DBT_DOCS
from analytics_worker.report_storage.rules import StorageError
from analytics_worker.settings import settings
from analytics_worker.text import one_line
from flows.dbt._arguments import typed_arguments
from flows.dbt._attempts import DbtRun, attempt, flow_limit_seconds, run_with_retries
from flows.dbt._before_models import run_before
from flows.dbt._dbt_artifacts import DbtResult
from flows.dbt._flow import dbt_flow
from flows.dbt._flow_result import finish_run
from flows.dbt._published_files import publish_docs
from flows.dbt._run_names import name_of, outcome
from flows.dbt._workspace import publish, workspace
from flows.dbt.state.production import default_target

MAX_PAGES = 5
PAGE = "static_index.html"


class DocsResult(DbtResult):
    """A dbt result, with the page if it was generated."""

    path: NotRequired[str]
    link: NotRequired[str]
    """Address of the page for readers; its path without REPORT_LINK_BASE."""
    bytes: NotRequired[int]


generate_docs = Task(attempt, name="dbt docs generate", **DBT_DOCS)


@dbt_flow(timeout_seconds=600, run_name=name_of("dbt docs", "select"), outcome=outcome)
def dbt_docs_generate(
    target: str | None = None,
    vars: dict[str, Any] | None = None,  # noqa: A002  # named like the option of dbt
    select: list[str] | None = None,
) -> DocsResult:
    """Generate dbt documentation: one HTML file that needs no server.

    Args:
        target: Target of profiles.yml; its default if empty.
        vars: Variables that dbt_project.yml declares, with their values.
        select: What the page covers, such as ``["staging", "kpis"]``; all if empty.
    """
    with workspace() as folders:
        arguments = typed_arguments(
            "docs generate", folders.project, target=target, variables=vars, select=select
        )
        dbt_run = DbtRun(
            ("docs", "generate"),
            replace(arguments, options=("--static", *arguments.options)),
            folders,
            flow_limit_seconds(),
            shows_nodes=False,  # they are only compiled
            before=run_before,
        )
        run_with_retries(dbt_run, generate_docs)
        result = DocsResult(**finish_run(dbt_run, artifact="dbt-docs-generate", unit="nodes"))
        if result["status"] == "success":
            suffix = _suffix(target, default_target(folders))
            page = publish_page(folders.target / PAGE, dbt_run.started_at, suffix)
            result["path"], result["bytes"] = str(page), page.stat().st_size
            _store_for_readers(result, page, suffix)
        return result


def _suffix(target: str | None, default: str | None) -> str:
    """Return the end of the names of a page of another target, so that it replaces no page of the default."""
    return (
        "" if target in {None, "", default} else f"-{re.sub(r'[^A-Za-z0-9_-]', '_', str(target))}"
    )


def _store_for_readers(result: DocsResult, page: Path, suffix: str) -> None:
    """Store the page beside the reports, and say where; the run is partial if that fails."""
    try:
        result["link"] = publish_docs(page, suffix)
    except (StorageError, OSError, HTTPError) as error:
        result["status"] = "partial"
        result["error"] = (
            f"The page is in {page}, but not beside the reports: {one_line(str(error))}"
        )
        result["message"] += f". {result['error']}"
    else:
        result["message"] += f". Page: {result['link']}"


def docs_folder() -> Path:
    """Return the folder of the pages."""
    return settings().state_dir / "dbt-docs"


def publish_page(source: Path, at: datetime, suffix: str = "") -> Path:
    """Store the page with its timestamp and as ``index.html``; delete all but the newest five."""
    folder = docs_folder()
    page = folder / f"docs-{at:%Y%m%dT%H%M%S%fZ}{suffix}.html"
    publish(source, page)
    publish(source, folder / f"index{suffix}.html")
    for old in sorted(folder.glob("docs-*.html"))[:-MAX_PAGES]:
        old.unlink(missing_ok=True)
    return page
