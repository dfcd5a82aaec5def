"""Rows and bytes of the reports that were made. Reads ``ops.report_runs``; counts each once."""

import time
from collections.abc import Iterable

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family
from analytics_worker.exporter.ops_reader import History, Row

ROWS = Family("report_rows_total", "counter", "Rows of the reports that were made.", ("kind",))
BYTES = Family(
    "report_bytes_total", "counter", "Bytes of the files of the reports that were made.", ("kind",)
)


class Reports(CountingCollector):
    """Count the contents of reports."""

    name = "reports"
    families = counters = (ROWS, BYTES)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._runs = History(store, "report_runs", _report_increments)

    def collect(self) -> Iterable[Samples]:
        """Count the new ones."""
        self._runs.count(time.time())
        return self.stored()


def _report_increments(row: Row) -> Iterable[Increment]:
    yield Increment(ROWS, (row["kind"],), float(row["rows"]))
    yield Increment(BYTES, (row["kind"],), float(row["bytes"]))
