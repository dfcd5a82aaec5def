"""Task runs that ended: how many, how long they took, how often they were retried.

Reads ended task runs and the flow runs that they belong to; counts each terminal state once.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import CountedItem, Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.label_cache import FlowRunLabels
from analytics_worker.exporter.metric_families import RUN_BUCKETS, Family
from analytics_worker.exporter.prefect_client import PrefectApi, Row, instant
from analytics_worker.exporter.run_reconciler import RunReconciler

WHERE = ("deployment", "task")
RUNS = Family(
    "task_runs_total", "counter", "Terminal states that task runs reached.", (*WHERE, "state")
)
DURATION = Family(
    "task_run_duration_seconds",
    "histogram",
    "Time in Running of task runs that had started and ended.",
    WHERE,
    RUN_BUCKETS,
)
RETRIES = Family("task_run_retries_total", "counter", "Starts of task runs after the first.", WHERE)
_SOURCE_HASH = re.compile(r"-[0-9a-f]{8}$")


class TaskRuns(CountingCollector):
    """Count task runs as they end."""

    name = "task_runs"
    families = counters = (RUNS, DURATION, RETRIES)

    def __init__(self, api: PrefectApi, store: Store, flow_runs: FlowRunLabels) -> None:
        super().__init__(store)
        self._flow_runs = flow_runs
        self._reconciler = RunReconciler(api, store, "task_runs", self._items)

    def collect(self) -> Iterable[Samples]:
        """Count what is new."""
        self._reconciler.poll()
        return self.stored()

    def _items(self, runs: list[Row]) -> list[CountedItem]:
        deployments = self._flow_runs(run["flow_run_id"] for run in runs)
        return [
            item for run in runs for item in _items_of(run, deployments.get(run["flow_run_id"], ""))
        ]


def _items_of(run: Row, deployment: str) -> list[CountedItem]:
    where = (deployment, _SOURCE_HASH.sub("", run["task_key"]))
    key, at = UUID(run["id"]).bytes, instant(run["end_time"])
    increments = [Increment(RUNS, (*where, run["state_name"]))]
    if run["run_count"]:
        increments.append(Increment.observe(DURATION, where, run["total_run_time"]))
    ended = CountedItem(UUID(run["state_id"]).bytes, at, tuple(increments))
    retries = range(2, run["run_count"] + 1)
    again = (Increment(RETRIES, where),)
    return [ended, *(CountedItem(key + n.to_bytes(4), at, again) for n in retries)]
