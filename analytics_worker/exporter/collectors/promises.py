"""On how many of the promised days of this month promises were kept. Reads ``ops.promise_attainment``."""

from collections.abc import Iterable

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.exporter.ops_reader import rows

ATTAINMENT = Family(
    "promise_attainment",
    "gauge",
    "Share of the promised days of this month, from 0 to 1, on which a relation or report was there in time.",
    ("promise",),
)


class Promises(Collector):
    """Report the attainment of the promises."""

    name = "promises"
    families = (ATTAINMENT,)
    every_seconds = 60.0

    def collect(self) -> Iterable[Samples]:
        """Read the attainment of this month."""
        found: dict[Labels, float] = {
            (row["promise"],): float(row["attainment"])
            for batch in rows("promise_attainment")
            for row in batch
        }
        return [(ATTAINMENT, found)]
