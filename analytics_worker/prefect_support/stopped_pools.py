"""Why a work pool hands out no runs although workers serve it: someone paused it, or set its limit to 0.

Reads and writes nothing.
"""

import shlex
from typing import NamedTuple

from prefect.client.schemas.objects import WorkPool


class StoppedPool(NamedTuple):
    """What stops a pool, and how to resume it."""

    message: str
    fix: str


def stopped_pool(pool: WorkPool) -> StoppedPool | None:
    """Return what stops the pool; None if nothing does."""
    name = shlex.quote(pool.name)
    if pool.is_paused:
        return StoppedPool(f"pool {pool.name} is paused", f"`prefect work-pool resume {name}`")
    if pool.concurrency_limit == 0:
        fix = f"`prefect work-pool set-concurrency-limit {name} …`, or `analytics-worker deploy`"
        return StoppedPool(f"pool {pool.name} has the limit 0", fix)
    return None
