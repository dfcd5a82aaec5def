"""Nodes that dbt ran, by outcome, the slowest of them, and its tests by their last result.

Reads the history of dbt in schema ``ops``; counts each run once. A node is a label only while it is among the
ten slowest or the ten that slowed down most.
"""

import time
from collections.abc import Iterable

from typing_extensions import override

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Labels, Value
from analytics_worker.exporter.ops_reader import History, Row, rows

NODES = Family(
    "dbt_nodes_total",
    "counter",
    "Models, tests and sources that dbt ran, by dbt's status.",
    ("status",),
)
SLOWEST = Family(
    "dbt_slowest_node_seconds",
    "gauge",
    "Duration of the last result of the ten slowest nodes of the last day.",
    ("node",),
)
SLOWING = Family(
    "dbt_slowing_node_ratio",
    "gauge",
    "Duration of a node relative to its usual one, of at most ten nodes that took 1.5 times as long and 5 s longer.",
    ("node",),
)

TESTS = Family(
    "dbt_tests",
    "gauge",
    "Data tests and unit tests of dbt by their last result: passed, warned or failed.",
    ("result",),
)

SHOWN = ("success", "pass", "warn", "fail", "error", "runtime error", "skipped")
RESULTS = ("passed", "warned", "failed")


class Dbt(CountingCollector):
    """Count runs and nodes of dbt."""

    name = "dbt"
    families = (NODES, SLOWEST, SLOWING, TESTS)
    counters = (NODES,)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._runs = History(store, "dbt_runs", _node_increments, recent=4 * 3600.0)

    def collect(self) -> Iterable[Samples]:
        """Count the new runs; read the durations of the last day."""
        self._runs.count(time.time())
        durations = [row for batch in rows("dbt_durations") for row in batch]
        slowest: dict[Labels, float] = {
            (row["node"],): float(row["seconds"]) for row in durations if row["is_slowest"]
        }
        slowing: dict[Labels, float] = {
            (row["node"],): float(row["slowing_ratio"])
            for row in durations
            if row["slowing_ratio"] is not None
        }
        return [(SLOWEST, slowest), (SLOWING, slowing), (TESTS, _tests()), *self.stored()]

    @override
    def zeros(self, family: Family) -> dict[Labels, Value]:
        return {(status,): 0.0 for status in SHOWN}


def _tests() -> dict[Labels, float]:
    """Return how many tests have each result; none of them before the first run of a test."""
    found: dict[Labels, float] = {
        (row["result"],): float(row["number"]) for batch in rows("dbt_tests") for row in batch
    }
    return {(result,): 0.0 for result in RESULTS} | found if found else {}


def _node_increments(row: Row) -> Iterable[Increment]:
    for status, number in row["nodes"].items():
        yield Increment(NODES, (status,), float(number))
