"""Name the runs of report flows: which reports and period, and how many were generated. Reads prefect.yaml; writes nothing."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analytics_worker.prefect_support.deployments import project
from analytics_worker.prefect_support.run_names import NameOf
from flows.reports._planned import PlannedReports
from flows.reports.scheduling.periods import SCHEDULE_TYPES, last_period


def scheduled_name(parameters: Mapping[str, Any], due: datetime) -> str:
    """Return ``daily reports for 24 Nov``."""
    chosen = parameters.get("schedule_type", "daily")
    for kind in SCHEDULE_TYPES:
        if kind == chosen:
            period = last_period(kind, due, project().definitions.timezone)
            return f"{kind} reports for {period.short_text}"
    return f"reports: {chosen}"


def name_of(title: str, parameter: str) -> NameOf:
    """Return a function that names runs by the report in a parameter: ``report: Open pipeline``."""

    def name(parameters: Mapping[str, Any], _due: datetime) -> str:
        report = parameters[parameter]
        return f"{title}: {report.get('name') or report['id']}"

    return name


def outcome(result: PlannedReports) -> str | None:
    """Return ``3 generated, 1 failed``; None if nothing was generated and nothing failed."""
    labels = {"made": "generated", "failed": "failed", "held": "held"}
    counts = {label: result["summary"][key] for key, label in labels.items()}
    if not counts["generated"] + counts["failed"]:
        return None
    return ", ".join(f"{count} {label}" for label, count in counts.items() if count)
