"""One module per source of metrics, independent of the other ones.

`analytics_worker.exporter.poller` runs them: a collector that fails leaves the others answering.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

from typing_extensions import override

from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.metric_families import Family, Labels, Value

Samples = tuple[Family, Mapping[Labels, Value]]


class Collector(ABC):
    """Collect the samples of some metric families. Belongs to one thread."""

    name: ClassVar[str]
    families: ClassVar[tuple[Family, ...]]
    every_seconds: ClassVar[float] = 0.0
    """Seconds for which its samples stay valid; 0 is until the next poll."""

    @property
    def is_quiet(self) -> bool:
        """Whether the samples change only by what an event announces."""
        return True

    @abstractmethod
    def collect(self) -> Iterable[Samples]:
        """Return the current samples of each family."""

    def stored(self) -> Sequence[Samples]:
        """Return the samples that are known even if collecting fails."""
        return ()


class CountingCollector(Collector):
    """Count items that may be deleted later; its counters are in the store."""

    counters: ClassVar[tuple[Family, ...]]

    def __init__(self, store: Store) -> None:
        self._store = store

    @override
    def stored(self) -> Sequence[Samples]:
        return [(one, self.zeros(one) | self._store.values(one)) for one in self.counters]

    def zeros(self, _family: Family) -> dict[Labels, Value]:
        """Samples to show before anything was counted.

        No rule sees the first step of a counter that appears together with it.
        """
        return {}
