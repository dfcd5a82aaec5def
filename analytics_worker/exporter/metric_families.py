"""Define a metric: its name, kind, labels and buckets, declared once in the module of its collector.

Reads nothing, writes nothing. Names are given without the prefix that all of them have.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

PREFIX = "analytics_"

# Waits and runs take from milliseconds to half an hour.
RUN_BUCKETS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0)

Labels = tuple[str, ...]


@dataclass(frozen=True)
class Histogram:
    """Observations by bucket, the last one for those above all bounds, and their sum."""

    counts: tuple[float, ...]
    total: float

    @classmethod
    def of(cls, value: float, buckets: Sequence[float]) -> "Histogram":
        """One observation."""
        place = bisect_left(buckets, value)
        counts = [0.0] * (len(buckets) + 1)
        counts[place] = 1.0
        return cls(tuple(counts), value)

    def __add__(self, other: "Histogram") -> "Histogram":
        counts = tuple(a + b for a, b in zip(self.counts, other.counts, strict=True))
        return Histogram(counts, self.total + other.total)


Value = float | Histogram


@dataclass(frozen=True)
class Family:
    """A metric family: ``name`` without prefix, and the labels of its samples."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: Labels = ()
    buckets: tuple[float, ...] = ()

    @property
    def full_name(self) -> str:
        """The name that Prometheus reads."""
        return PREFIX + self.name

    def series(self) -> tuple[str, ...]:
        """Names of its samples, as queries write them."""
        if self.kind != "histogram":
            return (self.full_name,)
        return tuple(f"{self.full_name}_{part}" for part in ("bucket", "sum", "count"))

    def metric(self, samples: Mapping[Labels, Value]) -> Metric:
        """The family with its samples, sorted by their labels."""
        kinds = {"counter": CounterMetricFamily, "gauge": GaugeMetricFamily}
        if self.kind == "histogram":
            return self._histogram(samples)
        made = kinds[self.kind](self.full_name, self.help, labels=self.labels)
        for labels, value in sorted(samples.items()):
            if not isinstance(value, Histogram):
                made.add_metric(labels, value)
        return made

    def _histogram(self, samples: Mapping[Labels, Value]) -> Metric:
        made = HistogramMetricFamily(self.full_name, self.help, labels=self.labels)
        for labels, value in sorted(samples.items(), key=lambda sample: sample[0]):
            if isinstance(value, Histogram):
                made.add_metric(labels, self._cumulative(value), sum_value=value.total)
        return made

    def _cumulative(self, value: Histogram) -> list[tuple[str, float]]:
        bounds = [*map(str, self.buckets), "+Inf"]
        return list(zip(bounds, accumulate(value.counts), strict=True))
