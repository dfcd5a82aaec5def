"""Nodes that dbt ran, by outcome. Reads the history of dbt in schema ``ops``; counts each run once."""

import time
from collections.abc import Iterable

from typing_extensions import override

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Labels, Value
from analytics_worker.exporter.ops_reader import History, Row

NODES = Family(
    "dbt_nodes_total",
    "counter",
    "Models, tests and sources that dbt ran, by dbt's status.",
    ("status",),
)


SHOWN = ("success", "pass", "warn", "fail", "error", "runtime error", "skipped")


class Dbt(CountingCollector):
    """Count runs and nodes of dbt."""

    name = "dbt"
    families = counters = (NODES,)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._runs = History(store, "dbt_runs", _node_increments, recent=4 * 3600.0)

    def collect(self) -> Iterable[Samples]:
        """Count the new runs."""
        self._runs.count(time.time())
        return self.stored()

    @override
    def zeros(self, family: Family) -> dict[Labels, Value]:
        return {(status,): 0.0 for status in SHOWN}


def _node_increments(row: Row) -> Iterable[Increment]:
    for status, number in row["nodes"].items():
        yield Increment(NODES, (status,), float(number))
