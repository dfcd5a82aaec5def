"""Circuit breakers: their state, and how often they tripped and rejected.

Reads the breakers' shared store, without a call through any of them.
"""

from collections.abc import Iterable

from analytics_worker.breakers.statistics import breaker_stats
from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family, Labels

STATES = ("closed", "half-open", "open")
STATE = Family(
    "circuit_breaker_state",
    "gauge",
    "1 for the state that the circuit breaker is in, 0 for the others.",
    ("breaker", "state"),
)
TRIPS = Family(
    "circuit_breaker_trips_total", "counter", "Changes from closed to open.", ("breaker",)
)
REJECTIONS = Family(
    "circuit_breaker_rejections_total",
    "counter",
    "Calls that an open circuit breaker refused.",
    ("breaker",),
)


class Breakers(Collector):
    """Report every breaker that any process has used."""

    name = "circuit_breakers"
    families = (STATE, TRIPS, REJECTIONS)

    def collect(self) -> Iterable[Samples]:
        """Read the store."""
        stats = breaker_stats()
        states: dict[Labels, float] = {
            (one["name"], state): float(one["state"] == state) for one in stats for state in STATES
        }
        yield STATE, states
        yield TRIPS, {(one["name"],): float(one["trips_total"]) for one in stats}
        yield REJECTIONS, {(one["name"],): float(one["rejections_total"]) for one in stats}
