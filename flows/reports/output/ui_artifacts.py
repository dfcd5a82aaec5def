"""Show reports in the Prefect UI: progress while they are generated, links to their files afterwards.

Writes artifacts of the current flow run; a report that is generated outside of one has none. If the
Prefect API is unavailable, only the artifacts are missing.
"""

import hashlib
import logging
import re
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext

from analytics_worker.prefect_support.table_artifacts import create_table_artifact
from flows.reports.output.files import ProgressReporter
from flows.reports.output.generator import ReportRunResult
from flows.reports.runs.model import ReportRun

UPDATE_SECONDS = 5.0
"""Interval of updates; shorter exports show no progress."""


_log = logging.getLogger(__name__)


@contextmanager
def _ignoring_api_errors() -> Generator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        _log.warning("could not create a Prefect artifact: %s", type(error).__name__)


@contextmanager
def report_progress(run: ReportRun) -> Generator[ProgressReporter]:
    """Show the progress of an export as an artifact of the current flow run."""
    if FlowRunContext.get() is None:
        yield _NoProgress()
        return
    progress = _ProgressArtifact(run)
    yield progress
    progress.complete()


class _NoProgress:
    def expect(self, rows: int) -> None:
        pass

    def update(self, rows: int) -> None:
        pass


class _ProgressArtifact:
    def __init__(self, run: ReportRun) -> None:
        self._name = run.report.name
        self._max_rows = run.report.max_rows
        self._expected = 1
        self._next_update = time.monotonic() + UPDATE_SECONDS
        self._artifact = None

    def expect(self, rows: int) -> None:
        self._expected = max(1, min(rows, self._max_rows or rows))

    def update(self, rows: int) -> None:
        if time.monotonic() < self._next_update:
            return
        self._next_update = time.monotonic() + UPDATE_SECONDS
        get_run_logger().info("%s: %s rows so far", self._name, f"{rows:,}")
        percent = min(99.0, 100 * rows / self._expected)  # the planner may expect too few
        with _ignoring_api_errors():
            self._publish(percent)

    def complete(self) -> None:
        if self._artifact is not None:
            with _ignoring_api_errors():
                self._publish(100.0)

    def _publish(self, percent: float) -> None:
        if self._artifact is None:
            text = f"Rows of {self._name}"
            self._artifact = create_progress_artifact(progress=percent, description=text)
        else:
            update_progress_artifact(self._artifact, progress=percent)  # pyright: ignore[reportArgumentType]


def publish_artifacts(result: ReportRunResult) -> None:
    """Publish a link to each file of a report."""
    if FlowRunContext.get() is None:
        return
    rows = f"{result.get('rows', 0):,} rows{', truncated' if result.get('truncated') else ''}"
    for link in result.get("files", []):
        with _ignoring_api_errors():
            create_link_artifact(
                key=_artifact_key(result["report"]),
                link=link if "://" in link else Path(link).as_uri(),
                link_text=Path(link).name,
                description=f"{result['report']} of {result['period']}: {rows}",
            )


def _artifact_key(name: str) -> str:
    """Return the key of a report's links: Prefect permits lower-case ASCII letters, digits and hyphens."""
    if re.fullmatch(r"[A-Za-z0-9]+([ -][A-Za-z0-9]+)*", name):
        return f"report-{name.lower().replace(' ', '-')}"
    return f"report-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def publish_summary_table(results: Sequence[ReportRunResult]) -> None:
    """Publish the results of a flow run as a table."""
    if FlowRunContext.get() is None or not results:
        return
    with _ignoring_api_errors():
        create_table_artifact(
            key="reports",
            table=[_table_row(result) for result in results],
            description=f"{len(results)} reports",
        )


def _table_row(result: ReportRunResult) -> dict[str, str]:
    notes = "; ".join(result.get("notes", []))
    return {
        "report": result["report"],
        "for": result["key"],
        "period": result["period"],
        "state": result["status"],
        "rows": f"{result.get('rows', 0):,}",
        "recipients": str(result.get("recipients", 0)),
        "note": result.get("error") or result.get("reason") or notes,
    }
