"""Collectors at work: each in its turn, its samples kept as text until the next ones.

Reads what the collectors read; writes nothing itself. A collector that fails is counted and named, and
its last samples go on standing only until they are too old to be true.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.console import log_line
from analytics_worker.exporter.metric_families import Family, Labels, Value
from analytics_worker.exporter.poll_schedule import PollSchedule
from analytics_worker.prefect_support.api_client import refusal_message

STALE_SECONDS = 120.0

UP = Family("exporter_up", "gauge", "1 if every collector succeeded the last time, else 0.")
SUCCESS = Family(
    "exporter_collector_success",
    "gauge",
    "1 if the collector succeeded the last time, else 0.",
    ("collector",),
)
DURATION = Family(
    "exporter_collector_duration_seconds",
    "gauge",
    "How long the collector took the last time.",
    ("collector",),
)
LAST = Family(
    "exporter_collector_last_success_timestamp_seconds",
    "gauge",
    "When the collector last succeeded.",
    ("collector",),
)
ERRORS = Family(
    "exporter_poll_errors_total",
    "counter",
    "Failures of the collector since the exporter started.",
    ("collector",),
)
POLL = Family(
    "exporter_poll_duration_seconds",
    "gauge",
    "How long the last poll took, over all collectors that were due in it.",
    ("source",),
)
FAMILIES = (UP, SUCCESS, DURATION, LAST, ERRORS, POLL)


class MetricSource:
    """Something that `generate_latest` can print."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Sequence[Metric]:
        """Return the given metrics."""
        return self._metrics


def text(samples: Sequence[Samples]) -> bytes:
    """The samples in Prometheus' text format; families without samples are left out."""
    return generate_latest(
        MetricSource([family.metric(found) for family, found in samples if found])
    )


@dataclass
class CollectorState:
    """A collector and the result of its last call."""

    collector: Collector
    due_at: float = 0.0
    ok: bool = False
    seconds: float = 0.0
    succeeded_at: float = 0.0
    errors: int = 0
    page: bytes = b""

    def __post_init__(self) -> None:
        """Show the counters of the previous process before the first poll."""
        self.page = text(self.collector.stored())

    def collect(self) -> None:
        """Collect, and record the result."""
        started = time.monotonic()
        try:
            page = text(list(self.collector.collect()))
        except Exception as error:  # noqa: BLE001  # one broken collector leaves the others answering
            self._failed(error)
        else:
            self.page, self.ok, self.succeeded_at = page, True, time.time()
        self.seconds = time.monotonic() - started
        self.due_at = started + self.collector.every_seconds

    def _failed(self, error: Exception) -> None:
        self.errors += 1
        if self.ok or self.errors == 1:  # once per outage, not at every poll
            first_line = (str(error).strip() or type(error).__name__).splitlines()[0]
            reason = refusal_message(error) or first_line
            log_line(f"{self.collector.name}: {type(error).__name__}: {reason}")
        self.ok = False
        if time.time() > self.succeeded_at + STALE_SECONDS:
            self.page = text(self.collector.stored())


class Announcements(Protocol):
    """What reports that something changed, while it is connected."""

    connected: bool

    def start(self, announce: Callable[[], None]) -> None:
        """Begin to call the function for each change, from another thread."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Poller:
    """Collectors that share a thread, because they share what they wait for."""

    def __init__(
        self,
        source: str,
        collectors: Sequence[Collector],
        every_seconds: float,
        announcements: Announcements | None = None,
        within: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Poll every so many seconds; less often where changes are announced and nothing is in progress.

        Each poll takes place ``within`` a context, which its collectors share.
        """
        self.source = source
        self.states = [CollectorState(collector) for collector in collectors]
        self.seconds = 0.0
        self.polled_at = time.time()
        self._announcements = announcements
        self._within = within
        self._schedule = PollSchedule(every_seconds)
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=source, daemon=True)

    def start(self) -> None:
        """Begin to poll."""
        self._thread.start()
        if self._announcements:
            self._announcements.start(self._announce)

    def stop(self) -> None:
        """End after the current collector."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout=1)
        if self._announcements:
            self._announcements.stop()

    def _announce(self) -> None:
        self._schedule.announce(time.monotonic())
        self._wake.set()

    def poll(self) -> None:
        """Let every collector that is due take its turn."""
        started = time.monotonic()
        self._schedule.begin(started)
        with self._within():
            for state in self.states:
                if started >= state.due_at and not self._stop.is_set():
                    state.collect()
        self.seconds = time.monotonic() - started
        self.polled_at = time.time()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.poll()
            self._wait()

    def _wait(self) -> None:
        while not self._stop.is_set():
            pause = self._schedule.due_at(is_quiet=self.is_quiet()) - time.monotonic()
            if pause <= 0:
                return
            self._wake.wait(pause)
            self._wake.clear()

    def is_quiet(self) -> bool:
        """Whether nothing changes without being announced."""
        if not (self._announcements and self._announcements.connected):
            return False
        return all(state.ok and state.collector.is_quiet for state in self.states)


class Exposition:
    """The answer to Prometheus: the pollers' texts, and the state of the pollers."""

    def __init__(self, pollers: Sequence[Poller]) -> None:
        self._pollers = pollers

    def metrics(self) -> bytes:
        """Everything as of the last polls; sends no request."""
        states = [state for poller in self._pollers for state in poller.states]
        return b"".join([*(state.page for state in states), text(self._own(states))])

    def seconds_since_poll(self) -> float:
        """Return the seconds since the last finished poll of the slowest poller."""
        return time.time() - min(poller.polled_at for poller in self._pollers)

    def broken(self) -> list[str]:
        """Collectors that failed the last time."""
        return [s.collector.name for p in self._pollers for s in p.states if not s.ok]

    def _own(self, states: Sequence[CollectorState]) -> list[Samples]:
        def each(value: str) -> dict[Labels, Value]:
            return {(state.collector.name,): float(getattr(state, value)) for state in states}

        succeeded = {k: v for k, v in each("succeeded_at").items() if v}
        polls: dict[Labels, Value] = {(p.source,): p.seconds for p in self._pollers}
        up: dict[Labels, Value] = {(): float(all(state.ok for state in states))}
        return [
            (UP, up),
            (SUCCESS, each("ok")),
            (DURATION, each("seconds")),
            (LAST, succeeded),
            (ERRORS, each("errors")),
            (POLL, polls),
        ]
