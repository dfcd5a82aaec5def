"""Flow runs that ended: how many, how long they took, how long they had waited, how often retried.

Reads ended runs and, of runs that were started more than once, their states; counts each terminal
state once. A run that fails and succeeds after a retry by hand is one Failed and one Completed.
"""

from collections.abc import Iterable
from uuid import UUID

from typing_extensions import override

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import CountedItem, Increment, RunResult
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.label_cache import DeploymentIndex, FlowRunLabels
from analytics_worker.exporter.metric_families import RUN_BUCKETS, Family, Labels, Value
from analytics_worker.exporter.prefect_client import PrefectApi, Row, instant
from analytics_worker.exporter.run_reconciler import RunReconciler

RUNS = Family(
    "flow_runs_total",
    "counter",
    "Terminal states that flow runs reached.",
    ("deployment", "work_pool", "state"),
)
DURATION = Family(
    "flow_run_duration_seconds",
    "histogram",
    "Time in Running of flow runs that had started and ended.",
    ("deployment", "work_pool"),
    RUN_BUCKETS,
)
QUEUE_WAIT = Family(
    "flow_run_queue_wait_seconds",
    "histogram",
    "Time from when a flow run was due until it started.",
    ("deployment", "work_pool"),
    RUN_BUCKETS,
)
RETRIES = Family(
    "flow_run_retries_total",
    "counter",
    "Starts of flow runs after the first, by a retry policy or by hand.",
    ("deployment", "work_pool"),
)
LAST_SUCCESS = Family(
    "deployment_last_success_timestamp_seconds",
    "gauge",
    "When a run of the deployment last succeeded; one that was skipped did not.",
    ("deployment", "work_pool"),
)
SKIPPED = "Skipped"
"""A state of type COMPLETED in which nothing was done: it does not show whether the deployment works."""
SHOWN = ("Completed", SKIPPED, "Partial", "Failed", "CircuitOpen", "Crashed", "Cancelled")
TERMINAL = frozenset({"COMPLETED", "FAILED", "CRASHED", "CANCELLED"})
FAILED = frozenset({"FAILED", "CRASHED"})


class FlowRuns(CountingCollector):
    """Count flow runs as they end."""

    name = "flow_runs"
    families = counters = (RUNS, DURATION, QUEUE_WAIT, RETRIES)

    def __init__(
        self,
        api: PrefectApi,
        store: Store,
        deployment_index: DeploymentIndex,
        labels: FlowRunLabels,
    ) -> None:
        super().__init__(store)
        self._api = api
        self._deployment_index = deployment_index
        self._places: list[tuple[str, str]] = []
        self._labels = labels
        self._reconciler = RunReconciler(api, store, "flow_runs", self._items)

    def collect(self) -> Iterable[Samples]:
        """Count what is new."""
        self._reconciler.poll()
        self._places = [labels for labels, _ in self._deployment_index()]
        return self.stored()

    @override
    def zeros(self, family: Family) -> dict[Labels, Value]:
        if family is not RUNS:
            return {}
        return {(*place, state): 0.0 for place in self._places for state in SHOWN}

    def _items(self, runs: list[Row]) -> list[CountedItem]:
        names = self._labels.note(runs)
        return [item for run in runs for item in self._items_of(run, names[run["id"]])]

    def _items_of(self, run: Row, deployment: str) -> list[CountedItem]:
        ended = EndedRun(run, deployment)
        if run["run_count"] <= 1:
            return [ended.last(is_first=True)]
        earlier, retries = _history(self._api.states(run["id"]), run["state_id"])
        first = [ended.earlier(state, is_first=n == 0) for n, state in enumerate(earlier)]
        again = [ended.retry(state) for state in retries]
        return [*first, *again, ended.last(is_first=not earlier)]


class EndedRun:
    """One ended run, as the items that it is counted by."""

    def __init__(self, run: Row, deployment: str) -> None:
        """``deployment`` is the label's value."""
        self._run = run
        self._where = (deployment, run["work_pool_name"] or "")

    def last(self, *, is_first: bool) -> CountedItem:
        """The state that it is in now, and what is known of the run as a whole."""
        run = self._run
        increments = [self._state(run["state_name"])]
        if run["run_count"]:  # else it never ran, and Prefect sets its start to its end
            duration = run["total_run_time"]
            increments.append(Increment.observe(DURATION, self._where, duration))
            increments += self._wait() if is_first else ()
        at, run_result = (
            instant(run["end_time"]),
            self._run_result(run["state_type"], run["state_name"]),
        )
        if run_result and not run_result.failed:
            increments.append(Increment(LAST_SUCCESS, self._where, at))
        return CountedItem(UUID(run["state_id"]).bytes, at, tuple(increments), run_result)

    def earlier(self, state: Row, *, is_first: bool) -> CountedItem:
        """A terminal state that it had left again."""
        wait = self._wait() if is_first else ()
        increments = (self._state(state["name"]), *wait)
        at = instant(state["timestamp"])
        run_result = self._run_result(state["type"], state["name"])
        return CountedItem(UUID(state["id"]).bytes, at, increments, run_result)

    def retry(self, running: Row) -> CountedItem:
        """A start after the first."""
        at = instant(running["timestamp"])
        return CountedItem(UUID(running["id"]).bytes, at, (Increment(RETRIES, self._where),))

    def _state(self, name: str) -> Increment:
        return Increment(RUNS, (*self._where, name))

    def _wait(self) -> tuple[Increment, ...]:
        run = self._run
        if not run["expected_start_time"] or not run["start_time"]:
            return ()
        wait = instant(run["start_time"]) - instant(run["expected_start_time"])
        return (Increment.observe(QUEUE_WAIT, self._where, wait),)

    def _run_result(self, kind: str, name: str) -> RunResult | None:
        if not self._run["deployment_id"] or kind == "CANCELLED" or name == SKIPPED:
            return None
        return RunResult(self._where[0], kind in FAILED)


def _history(states: list[Row], current: str) -> tuple[list[Row], list[Row]]:
    """Terminal states before the current one, and the states that started the run again."""
    terminal = [s for s in states if s["type"] in TERMINAL and s["id"] != current]
    running = [state for state in states if state["type"] == "RUNNING"]
    return terminal, running[1:]
