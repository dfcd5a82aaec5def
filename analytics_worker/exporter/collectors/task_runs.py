"""Task runs that ended: how many, how long they took, how often they were retried.

Reads ended task runs and the flow runs that they belong to; counts each terminal state once.
"""

import re
from collections.abc import Iterable
from uuid import UUID

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import CountedItem, Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.label_cache import DeploymentLabels
from analytics_worker.exporter.metric_families import RUN_BUCKETS, Family
from analytics_worker.exporter.prefect_client import PAGE, PrefectApi, Row, instant
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
MAX_CACHED = 5_000


class TaskRuns(CountingCollector):
    """Count task runs as they end."""

    name = "task_runs"
    families = counters = (RUNS, DURATION, RETRIES)

    def __init__(self, api: PrefectApi, store: Store) -> None:
        super().__init__(store)
        self._api = api
        self._deployments = DeploymentLabels(api)
        self._by_flow_run: dict[str | None, str] = {}
        self._reconciler = RunReconciler(api, store, "task_runs", self._items)

    def collect(self) -> Iterable[Samples]:
        """Count what is new."""
        self._reconciler.poll()
        return self.stored()

    def _items(self, runs: list[Row]) -> list[CountedItem]:
        self._load({run["flow_run_id"] for run in runs if run["flow_run_id"]})
        return [
            item
            for run in runs
            for item in _items_of(run, self._by_flow_run.get(run["flow_run_id"], ""))
        ]

    def _load(self, flow_runs: set[str]) -> None:
        """Deployments of flow runs, which task runs do not name."""
        if len(self._by_flow_run) > MAX_CACHED:
            self._by_flow_run.clear()
        unknown = sorted(flow_runs - self._by_flow_run.keys())
        if unknown:
            chosen = {"id": {"any_": unknown}}
            rows = self._api.filter("flow_runs", flow_runs=chosen, limit=PAGE)
            self._by_flow_run |= self._deployments(rows)


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
