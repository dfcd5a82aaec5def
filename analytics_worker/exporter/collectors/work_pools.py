"""Workers that are online, by work pool. Reads the workers' heartbeats as the Prefect API judges them."""

from collections.abc import Iterable

from analytics_worker.exporter.collectors import Collector, Samples
from analytics_worker.exporter.label_cache import CachedList
from analytics_worker.exporter.metric_families import Family
from analytics_worker.exporter.prefect_client import PrefectApi

ONLINE = Family(
    "workers_online", "gauge", "Workers of a pool whose heartbeat is recent.", ("work_pool",)
)


class WorkPools(Collector):
    """Report which work pools have a worker."""

    name = "work_pools"
    families = (ONLINE,)
    every_seconds = 25.0
    """The server itself sees only after 90 s that a worker has no heartbeat."""

    def __init__(self, api: PrefectApi, pools: CachedList) -> None:
        self._api, self._pools = api, pools

    def collect(self) -> Iterable[Samples]:
        """Ask each pool for its workers."""
        pools = [pool["name"] for pool in self._pools()]
        yield ONLINE, {(pool,): float(self._online(pool)) for pool in pools}

    def _online(self, pool: str) -> int:
        workers = self._api.all(f"work_pools/{pool}/workers")
        return sum(worker["status"] == "ONLINE" for worker in workers)
