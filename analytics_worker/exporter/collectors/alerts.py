"""Alert rules by state, and what became of their messages. Reads ``ops.alert_status`` and the outbox."""

import time
from collections.abc import Iterable

from typing_extensions import override

from analytics_worker.exporter.collectors import Counting, Samples
from analytics_worker.exporter.counter_events import Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Labels, Value
from analytics_worker.exporter.ops_reader import History, Row, rows

STATES = Family(
    "alert_states", "gauge", "Alert rules, or keys of them, that are in a state.", ("state",)
)
DELIVERIES = Family(
    "alert_deliveries_total",
    "counter",
    "Messages of alerts that were sent, given up (failed) or not meant to be sent (skipped).",
    ("channel", "outcome"),
)
OUTCOMES = ("sent", "failed", "skipped")
SHOWN = ("ok", "pending", "firing", "no_data", "error", "unknown")


class Alerts(Counting):
    """Shows alerts and counts their messages."""

    name = "alerts"
    families = (STATES, DELIVERIES)
    counters = (DELIVERIES,)

    def __init__(self, store: Store) -> None:
        """Nothing is read yet."""
        super().__init__(store)
        self._deliveries = History(store, "alert_deliveries", _delivered, recent=900.0)

    def collect(self) -> Iterable[Samples]:
        """Read states and outbox."""
        self._deliveries.count(time.time())
        states: dict[Labels, float] = {(state,): 0.0 for state in SHOWN}
        states |= {(r["status"],): float(r["number"]) for b in rows("alert_states") for r in b}
        return [(STATES, states), *self.stored()]

    @override
    def zeros(self, family: Family) -> dict[Labels, Value]:
        channels = {channel for channel, _ in self._store.values(family)}
        return {(channel, outcome): 0.0 for channel in channels for outcome in OUTCOMES}


def _delivered(row: Row) -> Iterable[Increment]:
    yield Increment(DELIVERIES, (row["channel"], row["status"]))
