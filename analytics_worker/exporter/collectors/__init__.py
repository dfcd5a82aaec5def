"""One module per family of metrics; each knows where its numbers come from and nothing else.

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
    """What fills some families. Belongs to one thread."""

    name: ClassVar[str]
    families: ClassVar[tuple[Family, ...]]
    every_seconds: ClassVar[float] = 0.0
    """How long its samples stay good; 0 is until the next poll."""

    @abstractmethod
    def collect(self) -> Iterable[Samples]:
        """Samples of each family as of now."""

    def stored(self) -> Sequence[Samples]:
        """What is true even if nothing can be collected."""
        return ()


class CountingCollector(Collector):
    """What counts things that may be deleted later: its counters are the store's."""

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
