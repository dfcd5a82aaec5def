"""Find every ended run once: new ones, those of an outage, and those that were reported late.

Reads the ended runs of the Prefect API; writes through the store, where each is counted once. Safe
to repeat at any point. Three looks complete each other:

* recent: the last minutes at every poll, newest first, until a page holds nothing new, and once a
  minute to their end;
* behind: after an outage of the exporter, slice by slice from where it stopped;
* settled: the hours of the last week in turn, one every `HOUR_CHECK_SECONDS`. The number of runs that ended in an
  hour is compared with the number known. Where it changed, the hour is read again. So a state that was set late with
  an older time is found, too, for the price of one count.
"""

import time
from collections.abc import Callable, Iterable

from analytics_worker.exporter.counter_events import CountedItem
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.prefect_client import FIRST_PAGE, PrefectApi, Row, Runs

HOUR, DAY = 3600.0, 86400.0
OVERLAP = 600.0
RETENTION_SECONDS = 7 * DAY
RESCAN_SECONDS = 60.0
HOUR_CHECK_SECONDS = 30.0
CATCH_UP_SECONDS = 2.0
"""Time limit in each poll, so that the other metrics stay current during the catch-up after an outage."""
MAX_SLICE_RUNS = 2_000

Itemize = Callable[[list[Row]], list[CountedItem]]


class RunReconciler:
    """Ended flow runs, or ended task runs."""

    def __init__(self, api: PrefectApi, store: Store, what: Runs, itemize: Itemize) -> None:
        self._api, self._store, self._itemize = api, store, itemize
        self._what: Runs = what
        self._deep_at = float("-inf")
        self._slice = HOUR
        self._counted: dict[float, int] = {}
        self._next_hour = 0.0
        self._hour_checked_at = float("-inf")

    def poll(self) -> None:
        """Look at what is new and at a part of what is old."""
        now = time.time()
        reached = self._reached(now)
        self._recent(now)
        if reached < now - OVERLAP:
            self._behind(reached, now - OVERLAP)
            return
        if reached < now - OVERLAP + RESCAN_SECONDS:  # now and then: a mark is a write to the disk
            self._mark(now - OVERLAP / 2)
            self._store.settle(self._what, (now - RETENTION_SECONDS) // HOUR * HOUR)
        if now >= self._hour_checked_at + HOUR_CHECK_SECONDS:
            self._hour_checked_at = now
            self._check_an_hour(now)

    def _reached(self, now: float) -> float:
        """Everything that ended before was looked at; at the first start, nothing ended before."""
        known = self._store.mark(f"{self._what}.reached")
        if known is not None:
            return known
        age = HOUR
        while self._api.ended(self._what, None, now - age):
            age *= 2
        return now - age

    def _recent(self, now: float) -> None:
        deep = now >= self._deep_at + RESCAN_SECONDS
        for page in self._api.ended_pages(self._what, now - OVERLAP, None, FIRST_PAGE):
            if not self._count(page) and not deep:
                return
        if deep:
            self._deep_at = now

    def _behind(self, reached: float, goal: float) -> None:
        """Go on from where the exporter stopped, as far as the time of this poll allows."""
        deadline = time.monotonic() + CATCH_UP_SECONDS
        since = reached - OVERLAP
        while since < goal and time.monotonic() < deadline:
            until = min(since + self._slice, goal)
            ended = self._api.ended(self._what, since, until)
            if ended > MAX_SLICE_RUNS and self._slice > 1:
                self._slice /= 2
                continue
            if ended:
                self._read(since, until)
            else:
                self._slice *= 2
            since = until
            self._mark(since + OVERLAP)

    def _check_an_hour(self, now: float) -> None:
        """Compare the numbers of one settled hour; read it where they differ."""
        first = max(
            now - RETENTION_SECONDS + HOUR, (self._store.mark(f"{self._what}.floor") or 0.0)
        )
        hour = self._next_hour if self._next_hour >= first else first // HOUR * HOUR + HOUR
        until = hour + HOUR
        if until > now - OVERLAP:
            self._next_hour = 0.0
            return
        ended = self._api.ended(self._what, hour, until)
        known = self._counted.get(hour, self._store.seen(self._what, hour, until))
        if ended != known:
            self._read(hour, until)
        self._counted = {h: n for h, n in self._counted.items() if h >= first} | {hour: ended}
        self._next_hour = until

    def _mark(self, reached: float) -> None:
        self._store.apply(self._what, (), {f"{self._what}.reached": reached})

    def _read(self, since: float, until: float) -> None:
        for page in self._api.ended_pages(self._what, since, until):
            self._count(page)

    def _count(self, page: Iterable[Row]) -> int:
        return self._store.apply(self._what, self._itemize(list(page)))
