"""Deliveries of all domains: what was sent, what waits, which channels are paused.

Reads ``ops.deliveries``, ``ops.messages`` and ``ops.delivery_channels``; counts each delivery once.
"""

import time
from collections.abc import Iterable

from typing_extensions import override

from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Labels, Value
from analytics_worker.exporter.ops_reader import History, Row, rows

SETTLED = Family(
    "deliveries_total",
    "counter",
    "Deliveries of messages that were sent (in a digest, too), failed or were cancelled.",
    ("domain", "channel", "outcome"),
)
ALERTS = Family(
    "alert_deliveries_total",
    "counter",
    "Deliveries of alerts that were sent, failed or were cancelled (skipped).",
    ("channel", "outcome"),
)
UNREPORTED = Family(
    "messages_unheard_total",
    "counter",
    "Messages that could not be delivered and of which no owner could be notified.",
    ("domain",),
)
WAITING = Family(
    "deliveries_waiting", "gauge", "Deliveries that are not settled.", ("domain", "channel")
)
OLDEST = Family(
    "deliveries_oldest_waiting_seconds",
    "gauge",
    "Age of the oldest delivery that is not settled.",
    ("domain", "channel"),
)
PAUSED = Family(
    "delivery_channel_paused", "gauge", "1 while the receiver asked for a pause.", ("channel",)
)
NOT_CONFIGURED = Family(
    "delivery_channel_not_configured",
    "gauge",
    "1 while messages wait for the configuration of the channel.",
    ("channel",),
)
OUTCOMES = {"sent": "sent", "digested": "sent", "failed": "failed", "cancelled": "cancelled"}
OF_ALERTS = {"sent": "sent", "failed": "failed", "cancelled": "skipped"}


class Deliveries(CountingCollector):
    """Count settled deliveries and report waiting ones."""

    name = "deliveries"
    families = (SETTLED, ALERTS, UNREPORTED, WAITING, OLDEST, PAUSED, NOT_CONFIGURED)
    counters = (SETTLED, ALERTS, UNREPORTED)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._delivery_increments = History(store, "deliveries", _delivery_increments, recent=900.0)
        self._unnotified_increments = History(
            store, "unheard_messages", _unnotified_increments, recent=900.0
        )

    def collect(self) -> Iterable[Samples]:
        """Read the outbox and the state of the channels."""
        now = time.time()
        self._delivery_increments.count(now)
        self._unnotified_increments.count(now)
        return [*_waiting(), *_channels(), *self.stored()]

    @override
    def zeros(self, family: Family) -> dict[Labels, Value]:
        values = self._store.values(family)
        if family is SETTLED:
            pairs = {labels[:2] for labels in values}
            return {(*pair, outcome): 0.0 for pair in pairs for outcome in set(OUTCOMES.values())}
        if family is ALERTS:
            channels = {channel for channel, _ in values}
            return {(name, outcome): 0.0 for name in channels for outcome in OF_ALERTS.values()}
        return {(domain,): 0.0 for domain in ("alerts", "reports", "monitoring")}


def _waiting() -> list[Samples]:
    found = [row for batch in rows("waiting_deliveries") for row in batch]
    return [
        (WAITING, {(row["domain"], row["channel"]): float(row["number"]) for row in found}),
        (OLDEST, {(row["domain"], row["channel"]): float(row["age"]) for row in found}),
    ]


def _channels() -> list[Samples]:
    found = [row for batch in rows("channels") for row in batch]
    return [
        (PAUSED, {(row["channel"],): float(row["paused"]) for row in found}),
        (NOT_CONFIGURED, {(row["channel"],): float(row["not_configured"]) for row in found}),
    ]


def _delivery_increments(row: Row) -> Iterable[Increment]:
    outcome = OUTCOMES[row["status"]]
    yield Increment(SETTLED, (row["domain"], row["channel"], outcome))
    if row["domain"] == "alerts":
        yield Increment(ALERTS, (row["channel"], OF_ALERTS[outcome]))


def _unnotified_increments(row: Row) -> Iterable[Increment]:
    yield Increment(UNREPORTED, (row["domain"],))
