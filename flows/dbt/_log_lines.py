"""Log what dbt reports in the flow run: every line of a small project, progress and problems of a large one.

Writes log lines only. The number of lines is bounded for any project.
"""

import time
from collections import Counter

from prefect import get_run_logger

from analytics_worker.text import first_of
from flows.dbt._dbt_artifacts import NodeResult, is_failed

NODES_PER_LINE, SECONDS_PER_LINE = 50, 10.0
PROBLEM_LINES = 200
"""Warnings, and errors, that one attempt logs."""
NAMES = 5


class LogLines:
    """The log lines of one attempt.

    Args:
        logged: Whether dbt's lines are to be logged; False if prefect-dbt logs them.

    Attributes:
        progress_of: Number of nodes, of which only progress is logged; 0 logs every line.
    """

    def __init__(self, *, logged: bool = True) -> None:
        self._logged = logged
        self.progress_of = 0
        self._lines: Counter[str] = Counter()
        self._done: Counter[bool] = Counter()
        self._running: dict[str, str] = {}
        self._started = self._logged_at = time.monotonic()

    def write(self, level: str, message: str) -> None:
        """Log a line of dbt, unless there are too many of its level."""
        if not self._logged:
            return
        self._lines[level] += 1
        if level not in {"warn", "error"}:
            get_run_logger().info(message)
        elif self._lines[level] <= PROBLEM_LINES:
            logger = get_run_logger()
            (logger.warning if level == "warn" else logger.error)(message)

    def start(self, unique_id: str, name: str) -> None:
        """Count a node as running."""
        self._running[unique_id] = name

    def end(self, node: NodeResult) -> None:
        """Count a node as done, and log the progress after every so many nodes."""
        self._running.pop(node["unique_id"], None)
        self._done[is_failed(node)] += 1
        if self._done.total() % NODES_PER_LINE == 0:
            self._progress()

    def tick(self) -> None:
        """Log the progress if the last line is old."""
        if time.monotonic() - self._logged_at >= SECONDS_PER_LINE:
            self._progress()

    def close(self) -> None:
        """Log how many lines were left out."""
        for level, noun in (("warn", "warnings"), ("error", "lines about errors")):
            if self._lines[level] > PROBLEM_LINES:
                left_out = self._lines[level] - PROBLEM_LINES
                self.write("info", f"{left_out} more {noun} of dbt are not shown")

    def _progress(self) -> None:
        self._logged_at = time.monotonic()
        if not (self._logged and self.progress_of):
            return
        failed = f", {self._done[True]} failed" if self._done[True] else ""
        seconds = self._logged_at - self._started
        text = f"{self._done.total()} of {self.progress_of} nodes done{failed} in {seconds:.0f} s"
        names = list(self._running.values())
        running = f"; running: {first_of(names, NAMES)}" if names else ""
        get_run_logger().info(text + running)
