"""What people see of reports in the Prefect UI: progress while they are made, a link when they are.

Writes artifacts of the current flow run; a report that is made outside of one has none.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from prefect import get_run_logger
from prefect.artifacts import (
    create_link_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.context import FlowRunContext

from flows.reports._files import slug
from flows.reports._generate import Made
from flows.reports._ledger import Run

SECONDS_BETWEEN = 5.0
"""Exports shorter than this show no progress."""


@contextmanager
def progress_of(run: Run) -> Generator[Callable[[int], None]]:
    """Takes the number of rows written so far, and shows it now and then."""
    if FlowRunContext.get() is None:
        yield lambda _rows: None
        return
    shown = _Progress(run)
    try:
        yield shown.update
    finally:
        shown.end()


class _Progress:
    def __init__(self, run: Run) -> None:
        self._name = run.report.name
        self._most = run.report.max_rows
        self._next = time.monotonic() + SECONDS_BETWEEN
        self._artifact = None

    def update(self, rows: int) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + SECONDS_BETWEEN
        get_run_logger().info("%s: %s rows so far", self._name, f"{rows:,}")
        # Nobody knows how many rows there will be: the bar nears its end and gets there when all are.
        done = 100 * rows / self._most if self._most else 100 * rows / (rows + 500_000)
        if self._artifact is None:
            text = f"Rows of {self._name}"
            self._artifact = create_progress_artifact(progress=done, description=text)
        else:
            update_progress_artifact(self._artifact, progress=min(done, 99.0))  # pyright: ignore[reportArgumentType]

    def end(self) -> None:
        if self._artifact is not None:
            update_progress_artifact(self._artifact, progress=100.0)  # pyright: ignore[reportArgumentType]


def show(made: Made) -> None:
    """A link to each file of a report."""
    if FlowRunContext.get() is None:
        return
    for link in made.get("files", []):
        rows = f"{made.get('rows', 0):,} rows{', cut' if made.get('truncated') else ''}"
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
                "note": each.get("error") or each.get("reason") or "; ".join(each.get("notes", [])),
            }
            for each in made
        ],
        description=f"{len(made)} reports",
    )
