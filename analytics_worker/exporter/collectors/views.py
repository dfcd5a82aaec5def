"""Materialized views: how old their contents can be, through when they are complete, and how long refreshes take.

Reads ``ops.catalog_relations``, ``ops.completeness`` and ``ops.refresh_log``; counts each refresh once.
"""

import time
from collections.abc import Iterable

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import RUN_BUCKETS, Family, Labels
from analytics_worker.exporter.ops_reader import History, Row, rows

AGE = Family(
    "materialized_view_age_seconds",
    "gauge",
    "Since the contents of the view were last known to be up to date.",
    ("view",),
)
COMPLETE = Family(
    "complete_through_timestamp_seconds",
    "gauge",
    "Instant through which the data is complete: of materialized views and of relations with a declared event-time column.",
    ("relation",),
)
DURATION = Family(
    "materialized_view_refresh_duration_seconds",
    "histogram",
    "Time of one successful refresh.",
    ("view",),
    RUN_BUCKETS,
)


class Views(CountingCollector):
    """Report ages of views and count refreshes."""

    name = "materialized_views"
    families = (AGE, COMPLETE, DURATION)
    counters = (DURATION,)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._refreshes = History(store, "refreshes", _refresh_increments, recent=7200.0)

    def collect(self) -> Iterable[Samples]:
        """Read log and catalog."""
        self._refreshes.count(time.time())
        ages: dict[Labels, float] = {
            (row["view"],): float(row["age"]) for batch in rows("view_ages") for row in batch
        }
        return [(AGE, ages), (COMPLETE, _complete()), *self.stored()]


def _complete() -> dict[Labels, float]:
    return {
        (row["relation"],): float(row["complete_through"])
        for batch in rows("completeness")
        for row in batch
    }


def _refresh_increments(row: Row) -> Iterable[Increment]:
    yield Increment.observe(DURATION, (row["view"],), float(row["seconds"]))
