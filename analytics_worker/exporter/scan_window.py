"""Counters from rows that are deleted after their retention: events, and the histories in schema ``ops``.

Writes through the store, where each row is counted once. Safe to repeat: rows are read again on
purpose, a little at every poll and more of them now and then, because some get their final state late.
"""

from analytics_worker.exporter.counter_store import Store

RESCAN_SECONDS = 600.0


class ScanWindow:
    """The time from which a source is to be read again."""

    def __init__(
        self, store: Store, source: str, *, recent: float, deep: float, kept: float
    ) -> None:
        """Read ``recent`` seconds again at every poll, ``deep`` now and then, none before ``kept``."""
        self._store, self._source = store, source
        self._recent, self._deep, self._kept = recent, deep, kept
        self._deep_at = float("-inf")
        self._reached: float | None = None
        self._is_deep = True

    def since(self, now: float) -> float:
        """Return the start of the window; the earliest time if nothing was read before."""
        mark = self._store.mark(f"{self._source}.reached")
        reached = mark if self._reached is None else self._reached
        self._is_deep = now >= self._deep_at + RESCAN_SECONDS
        if reached is None:
            return 0.0
        return min(reached, now) - (self._deep if self._is_deep else self._recent)

    def done(self, now: float) -> None:
        """Everything until now has been read."""
        self._reached = now
        if self._is_deep:
            self._deep_at = now
            self._store.apply(self._source, (), {f"{self._source}.reached": now})
            self._store.settle(self._source, now - self._kept)
