"""What people see of reports in the Prefect UI: progress while they are made, a link when they are.

Writes artifacts of the current flow run; a report that is made outside of one has none. An API that
is away costs a report its artifacts, nothing else.
"""

import logging
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext

from flows.reports.output.files import Progress, slug
from flows.reports.output.generator import Made
from flows.reports.runs.store import Run

SECONDS_BETWEEN = 5.0
"""Exports shorter than this show no progress."""


_log = logging.getLogger(__name__)


@contextmanager
def _if_possible() -> Generator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        _log.warning("the Prefect API took no artifact: %s", type(error).__name__)


@contextmanager
def progress_of(run: Run) -> Generator[Progress]:
    """Takes the number of rows written so far, and shows it now and then."""
    if FlowRunContext.get() is None:
        yield _Silent()
        return
    shown = _Progress(run)
    yield shown
    shown.end()


class _Silent:
    def expect(self, rows: int) -> None:
        pass

    def update(self, rows: int) -> None:
        pass


class _Progress:
    def __init__(self, run: Run) -> None:
        self._name = run.report.name
        self._most = run.report.max_rows
        self._expected = 1
        self._next = time.monotonic() + SECONDS_BETWEEN
        self._artifact = None

    def expect(self, rows: int) -> None:
        self._expected = max(1, min(rows, self._most or rows))

    def update(self, rows: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN
        get_run_logger().info("%s: %s rows so far", self._name, f"{rows:,}")
        done = min(99.0, 100 * rows / self._expected)  # the planner's guess: it may be more
        with _if_possible():
            self._show(done)

    def end(self) -> None:
        if self._artifact is not None:
            with _if_possible():
                self._show(100.0)

    def _show(self, done: float) -> None:
        if self._artifact is None:
            text = f"Rows of {self._name}"
            self._artifact = create_progress_artifact(progress=done, description=text)
        else:
            update_progress_artifact(self._artifact, progress=done)  # pyright: ignore[reportArgumentType]


def show(made: Made) -> None:
    """A link to each file of a report."""
    if FlowRunContext.get() is None:
        return
    for link in made.get("files", []):
        rows = f"{made.get('rows', 0):,} rows{', cut' if made.get('truncated') else ''}"
        with _if_possible():
            create_link_artifact(
                key=f"report-{slug(made['report'])}",
                link=link if "://" in link else Path(link).as_uri(),
                link_text=Path(link).name,
                description=f"{made['report']} of {made['period']}: {rows}",
            )


def show_all(made: Sequence[Made]) -> None:
    """All reports of a flow run as a table."""
    if FlowRunContext.get() is None or not made:
        return
    with _if_possible():
        create_table_artifact(
            key="reports",
            table=[
                {
                    "report": each["report"],
                    "for": each["key"],
                    "period": each["period"],
                    "state": each["status"],
                    "rows": f"{each.get('rows', 0):,}",
                    "recipients": str(each.get("recipients", 0)),
                    "note": each.get("error")
                    or each.get("reason")
                    or "; ".join(each.get("notes", [])),
                }
                for each in made
            ],
            description=f"{len(made)} reports",
        )
