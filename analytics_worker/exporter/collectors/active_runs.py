"""Report active flow runs: their number by state, and how long they wait or run.

Reads the active runs in one page. Only if there are more than it holds, their numbers are requested
pool by pool, so that a backlog of thousands costs no more than one of hundreds.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator

from typing_extensions import override

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.label_cache import CachedList, DeploymentLabels
from analytics_worker.exporter.metric_families import Family, Labels
from analytics_worker.exporter.prefect_client import PAGE, PrefectApi, Row, instant, iso

STATES = {
    "SCHEDULED": ("Scheduled", "Late", "AwaitingRetry", "AwaitingConcurrencySlot", "Resuming"),
    "PENDING": ("Pending", "Submitting", "InfrastructurePending"),
    "RUNNING": ("Running", "Retrying"),
    "PAUSED": ("Paused", "Suspended"),
    "CANCELLING": ("Cancelling",),
}
SHOWN = ("Late", "Pending", "Running", "Cancelling")
"""States that are shown also at zero, so that a rule finds them."""
SLOT_STATES = ("PENDING", "RUNNING", "CANCELLING")

RUNS = Family(
    "flow_runs",
    "gauge",
    "Flow runs that are due and have not ended.",
    ("work_pool", "state"),
)
OLDEST_WAITING = Family(
    "queue_oldest_waiting_seconds",
    "gauge",
    "How long the oldest flow run that is due waits for a worker; 0 if none does.",
    ("work_pool",),
)
OLDEST_RUNNING = Family(
    "flow_run_oldest_running_seconds",
    "gauge",
    "How long the oldest running flow run of a deployment has been running.",
    ("deployment", "work_pool"),
)
SLOTS = Family(
    "work_pool_slots",
    "gauge",
    "Concurrency slots of a work pool: its limit (without one: no sample) and those in use.",
    ("work_pool", "kind"),
)


class ActiveRuns(Collector):
    """Report waiting and running flow runs."""

    name = "live_runs"
    families = (RUNS, OLDEST_WAITING, OLDEST_RUNNING, SLOTS)

    def __init__(self, api: PrefectApi, pools: CachedList) -> None:
        self._api = api
        self._pools = pools
        self._deployments = DeploymentLabels(api)
        self._has_runs = True

    @property
    @override
    def is_quiet(self) -> bool:
        """Whether no run is due or active: their ages grow all the time."""
        return not self._has_runs

    def collect(self) -> Iterable[Samples]:
        """Request active runs."""
        now = time.time()
        pools = self._pools()
        names = [pool["name"] for pool in pools]
        live = self._api.filter(
            "flow_runs", flow_runs=_live(now), sort="START_TIME_ASC", limit=PAGE
        )
        self._has_runs = bool(live)
        numbers = _numbers(live) if len(live) < PAGE else self._ask(names, now)
        yield RUNS, {(p, s): 0.0 for p in names for s in SHOWN} | _by_state(numbers)
        yield OLDEST_WAITING, dict.fromkeys(((p,) for p in names), 0.0) | _waiting(live, now)
        yield OLDEST_RUNNING, self._running(live, now)
        yield SLOTS, dict(_slots(pools, numbers))

    def _ask(self, pools: list[str], now: float) -> Counter[tuple[str, str, str]]:
        numbers: Counter[tuple[str, str, str]] = Counter()
        for pool in pools:
            for kind, names in STATES.items():
                for name in names:
                    chosen = _live(now) | {
                        "state": {"type": {"any_": [kind]}, "name": {"any_": [name]}}
                    }
                    numbers[pool, kind, name] = self._api.count(
                        "flow_runs", flow_runs=chosen, work_pools={"name": {"any_": [pool]}}
                    )
        return numbers

    def _running(self, live: list[Row], now: float) -> dict[Labels, float]:
        running = [run for run in live if run["state_type"] == "RUNNING" and run["start_time"]]
        names = self._deployments(running)
        oldest: dict[Labels, float] = {}
        for run in running:
            where = (names[run["id"]], run["work_pool_name"] or "")
            oldest[where] = max(oldest.get(where, 0.0), now - instant(run["start_time"]))
        return oldest


def _live(now: float) -> dict[str, object]:
    return {
        "state": {"type": {"any_": list(STATES)}},
        "expected_start_time": {"before_": iso(now)},
    }


def _numbers(live: list[Row]) -> Counter[tuple[str, str, str]]:
    return Counter((r["work_pool_name"] or "", r["state_type"], r["state_name"]) for r in live)


def _by_state(numbers: Counter[tuple[str, str, str]]) -> dict[Labels, float]:
    sums: Counter[Labels] = Counter()
    for (pool, _, name), number in numbers.items():
        sums[pool, name] += number
    return {labels: float(number) for labels, number in sums.items() if number}


def _waiting(live: list[Row], now: float) -> dict[Labels, float]:
    """Return per work pool the longest wait of a run for a worker after its scheduled time."""
    waits: dict[Labels, float] = {}
    for run in live:
        due = run["next_scheduled_start_time"] or run["expected_start_time"]
        if run["state_type"] in {"SCHEDULED", "PENDING"} and run["work_pool_name"]:
            pool = (run["work_pool_name"],)
            waits[pool] = max(waits.get(pool, 0.0), now - instant(due))
    return waits


def _slots(
    pools: list[Row], numbers: Counter[tuple[str, str, str]]
) -> Iterator[tuple[Labels, float]]:
    for pool in pools:
        name, limit = pool["name"], pool["concurrency_limit"]
        if limit is not None:
            yield (name, "limit"), float(limit)
        used = (n for (p, kind, _), n in numbers.items() if p == name and kind in SLOT_STATES)
        yield (name, "used"), float(sum(used))
