"""Open incidents by severity. Reads ``ops.incidents``."""

from collections.abc import Iterable

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.exporter.ops_reader import rows

INCIDENTS = Family("incidents", "gauge", "Open incidents by severity.", ("severity",))
SEVERITIES = ("critical", "warning")


class Incidents(Collector):
    """Report the open incidents."""

    name = "incidents"
    families = (INCIDENTS,)

    def collect(self) -> Iterable[Samples]:
        """Count the open incidents."""
        found: dict[Labels, float] = {(severity,): 0.0 for severity in SEVERITIES}
        found |= {
            (r["severity"],): float(r["number"]) for batch in rows("incidents") for r in batch
        }
        return [(INCIDENTS, found)]
