"""Report what runs measured: connecting to the database, statements, errors, outside services.

Reads the events that `analytics_worker.telemetry` writes at the end of every task; counts each once. Any client
can send such an event, so an event with unexpected content is ignored as a whole.
"""

import time
from collections.abc import Iterable
from uuid import UUID

from typing_extensions import override

from analytics_worker import telemetry
from analytics_worker.exporter.collectors import CountingCollector, Samples
from analytics_worker.exporter.counter_events import CountedItem, Increment
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Histogram, Labels, Value
from analytics_worker.exporter.prefect_client import PrefectApi, Row, instant
from analytics_worker.exporter.scan_window import ScanWindow

CONNECT = Family(
    telemetry.CONNECT,
    "histogram",
    "Time to connect to the analytics database.",
    (),
    telemetry.BUCKETS,
)
QUERY = Family(
    telemetry.QUERY,
    "histogram",
    "Time of one statement, by its first word; `user` is SQL of alert rules and reports.",
    ("operation",),
    telemetry.BUCKETS,
)
ERRORS = Family(
    telemetry.ERRORS,
    "counter",
    "Database errors by class of SQLSTATE; `none` is mostly a lost or refused connection.",
    ("class",),
)
REQUEST = Family(
    telemetry.REQUEST,
    "histogram",
    "Time of one message to an outside service.",
    ("service", "outcome"),
    telemetry.BUCKETS,
)
FAMILIES = {family.name: family for family in (CONNECT, QUERY, ERRORS, REQUEST)}
SHOWN = ("08", "53", "57", "58", "XX", "none")
"""Classes of errors that indicate a failure of the server."""
MAX_LABEL_LENGTH = 20
RETENTION_SECONDS = 7 * 86_400.0
"""The time for which Prefect keeps events."""


class Timings(CountingCollector):
    """Add up the measurements of finished tasks."""

    name = "timings"
    families = counters = tuple(FAMILIES.values())

    def __init__(self, api: PrefectApi, store: Store) -> None:
        super().__init__(store)
        self._api = api
        self._window = ScanWindow(
            store, "events", recent=120.0, deep=3600.0, kept=RETENTION_SECONDS
        )

    def collect(self) -> Iterable[Samples]:
        """Read what happened since, with some overlap: events can arrive late."""
        now = time.time()
        since = max(self._window.since(now), now - RETENTION_SECONDS)
        for page in self._api.events(telemetry.EVENT, since, now + 60):
            self._store.apply("events", [_item(event) for event in page])
        self._window.done(now)
        return self.stored()

    @override
    def zeros(self, family: Family) -> dict[Labels, Value]:
        return {(one,): 0.0 for one in SHOWN} if family is ERRORS else {}


def _item(event: Row) -> CountedItem:
    try:
        increments = tuple(_increments(event["payload"]))
    except (KeyError, TypeError, ValueError):
        increments = ()
    return CountedItem(UUID(event["id"]).bytes, instant(event["occurred"]), increments)


def _increments(payload: Row) -> Iterable[Increment]:
    if payload["format"] != telemetry.FORMAT:
        raise ValueError("another version of the worker")
    for row in payload["histograms"]:
        family = FAMILIES[row["metric"]]
        counts = tuple(_amount(number) for number in row["counts"])
        if len(counts) != len(family.buckets) + 1:
            raise ValueError("other buckets")
        yield Increment(family, _labels(family, row), Histogram(counts, _amount(row["sum"])))
    for row in payload["counts"]:
        family = FAMILIES[row["metric"]]
        yield Increment(family, _labels(family, row), _amount(row["value"]))


def _amount(number: object) -> float:
    if not isinstance(number, int | float) or not 0 <= number < float("inf"):
        raise ValueError("no amount")
    return float(number)


def _labels(family: Family, row: Row) -> tuple[str, ...]:
    labels = tuple(str(label) for label in row["labels"])
    if len(labels) != len(family.labels):
        raise ValueError("other labels")
    if any(len(label) > MAX_LABEL_LENGTH or not label.isalnum() for label in labels):
        raise ValueError("a label that no task sets")
    return labels
