"""Deployments: their last success, failures since, and how often a schedule should run them.

Reads the deployments of the Prefect API, and what `analytics_worker.exporter.collectors.flow_runs` counted. Shows only
deployments that exist, without schedules and failures of paused ones.
"""

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.collectors.flow_runs import LAST_SUCCESS
from analytics_worker.exporter.counter_store import Store
from analytics_worker.exporter.label_cache import DeploymentIndex
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.exporter.prefect_client import Row
from analytics_worker.source_version import source_version

WHERE = ("deployment", "work_pool")
UNRESOLVED = Family(
    "deployment_unresolved_failures",
    "gauge",
    "Failed and crashed runs of the deployment since its last success.",
    WHERE,
)
INTERVAL = Family(
    "deployment_schedule_interval_seconds",
    "gauge",
    "Longest time between two starts that the active schedules of the deployment leave.",
    WHERE,
)
"""The basis of "too long ago", which differs between a deployment of every two minutes and a monthly one."""
OTHER_VERSION = Family(
    "deployment_other_version",
    "gauge",
    "1 if a deployment of this project was made from another version of the code than the exporter's host has.",
    WHERE,
)
OWN_FLOWS = "flows."


class Deployments(Collector):
    """Report the schedule and the failures of each deployment."""

    name = "deployments"
    families = (LAST_SUCCESS, UNRESOLVED, INTERVAL, OTHER_VERSION)
    every_seconds = 15.0

    def __init__(self, deployment_index: DeploymentIndex, store: Store) -> None:
        self._deployment_index, self._store = deployment_index, store

    def collect(self) -> Iterable[Samples]:
        """Request the deployments."""
        rows = self._deployment_index()
        active = {labels: row for labels, row in rows if not row["paused"]}
        known, failures = {labels for labels, _ in rows}, self._store.failures()
        successes = self._store.values(LAST_SUCCESS)
        yield LAST_SUCCESS, {labels: v for labels, v in successes.items() if labels in known}
        yield UNRESOLVED, {labels: float(failures.get(labels[0], 0)) for labels in active}
        intervals = {labels: interval(row["schedules"]) for labels, row in active.items()}
        yield INTERVAL, {labels: seconds for labels, seconds in intervals.items() if seconds}
        yield OTHER_VERSION, other_versions(rows)


def other_versions(rows: Iterable[tuple[Labels, Row]]) -> dict[Labels, float]:
    """Return for each deployment of this project whether its version differs from this checkout's."""
    own = source_version()
    ours = (pair for pair in rows if str(pair[1]["entrypoint"]).startswith(OWN_FLOWS))
    return {labels: float(row["version"] != own) for labels, row in ours}


def interval(schedules: Iterable[Row]) -> float | None:
    """Seconds between two starts by these schedules, at most; None if they start nothing."""
    longest = [_longest(s["schedule"]) for s in schedules if s["active"]]
    return min((seconds for seconds in longest if seconds), default=None)


def _longest(schedule: Mapping[str, object]) -> float | None:
    if "cron" in schedule:
        return _cron(str(schedule["cron"]), str(schedule.get("timezone") or "UTC"), _day())
    seconds = schedule.get("interval")
    return float(seconds) if isinstance(seconds, int | float) else None


def _day() -> int:
    return int(time.time() // 86_400)


@lru_cache(maxsize=256)
def _cron(expression: str, zone: str, day: int) -> float | None:
    """The longest gap among the next starts, as of that day; None if there are no two."""
    start = datetime.fromtimestamp(day * 86_400, UTC).astimezone(ZoneInfo(zone))
    try:
        starts = list(islice(CronSim(expression, start), 50))
    except CronSimError:  # Prefect accepts some more forms
        return None
    gaps = ((b - a).total_seconds() for a, b in pairwise(starts))
    return max(gaps, default=None)
