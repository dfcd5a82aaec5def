"""Define what is counted: items that happened once, and what each adds to which series.

Reads nothing, writes nothing.
"""

from dataclasses import dataclass

from analytics_worker.exporter.metric_families import Family, Histogram, Labels, Value


@dataclass(frozen=True)
class Increment:
    """The amount that an item adds to one series; of a gauge, the highest value is kept instead."""

    family: Family
    labels: Labels
    value: Value = 1.0

    @classmethod
    def observe(cls, family: Family, labels: Labels, value: float) -> "Increment":
        """One observation of a histogram."""
        return cls(family, labels, Histogram.of(max(value, 0.0), family.buckets))

    def on(self, before: Value | None) -> Value:
        """The series' value after this."""
        if before is None:
            return self.value
        match before, self.value:
            case Histogram(), Histogram():
                return before + self.value
            case (float() | int(), float() | int()) if self.family.kind == "gauge":
                return max(before, self.value)
            case float() | int(), float() | int():
                return before + self.value
            case _:
                raise TypeError(f"{self.family.name} was something else before")


@dataclass(frozen=True)
class RunResult:
    """The end of a run of a deployment: failures count until the next success."""

    deployment: str
    failed: bool


@dataclass(frozen=True)
class CountedItem:
    """Something that is counted once: known by ``key`` among the items of its source."""

    key: bytes
    at: float
    """Time of the item, in seconds since 1970."""
    increments: tuple[Increment, ...] = ()
    run_result: RunResult | None = None
