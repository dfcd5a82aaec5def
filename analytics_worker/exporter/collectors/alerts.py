"""Alert rules by state. Reads ``ops.alert_status``."""

from collections.abc import Iterable

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.exporter.ops_reader import rows

STATES = Family(
    "alert_states", "gauge", "Alert rules, or keys of them, that are in a state.", ("state",)
)
UNNOTIFIED = Family(
    "alert_states_unnotified",
    "gauge",
    "Alert rules, or keys of them, without a notification because they have no recipient.",
)
SHOWN = ("ok", "pending", "firing", "no_data", "error", "unknown")


class Alerts(Collector):
    """Report the states of alerts."""

    name = "alerts"
    families = (STATES, UNNOTIFIED)

    def collect(self) -> Iterable[Samples]:
        """Read the states."""
        found = [row for batch in rows("alert_states") for row in batch]
        states: dict[Labels, float] = {(state,): 0.0 for state in SHOWN}
        states |= {(row["status"],): float(row["number"]) for row in found}
        return [(STATES, states), (UNNOTIFIED, {(): float(sum(r["unnotified"] for r in found))})]
