"""Reports that are held, and sent ones whose numbers are different now. Reads ``ops.report_runs``."""

from collections.abc import Iterable

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.exporter.ops_reader import rows

HELD = Family(
    "report_runs_held",
    "gauge",
    "Runs of a report that are held, or were sent without some of their parts, by the requirement that is not met.",
    ("report", "requirement"),
)
RESTATED = Family(
    "report_runs_restated",
    "gauge",
    "Sent runs of a report whose numbers are different now, as its owner was notified.",
    ("report",),
)


class ReportRuns(Collector):
    """Report held and restated runs; 0 for the other reports of the files."""

    name = "report runs"
    families = (HELD, RESTATED)
    every_seconds = 60.0

    def collect(self) -> Iterable[Samples]:
        """Read both."""
        held: dict[Labels, float] = {
            (row["report"], row["requirement"]): float(row["number"])
            for batch in rows("report_runs_held")
            for row in batch
        }
        restated: dict[Labels, float] = {
            (row["report"],): float(row["number"])
            for batch in rows("report_runs_restated")
            for row in batch
        }
        return [(HELD, held), (RESTATED, restated)]
