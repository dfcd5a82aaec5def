"""Skip the runs that piled up while no worker or no server was available, before any is claimed.

Reads the pool's queue; writes final states of runs that a newer one of their schedule makes
superfluous. Called in the worker's turn, so no other worker claims them meanwhile. Repeating it finds
nothing more.
"""

import time
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun
from prefect.client.schemas.sorting import FlowRunSort

from analytics_worker.prefect_support.catch_up import (
    is_late,
    skipped_state,
    superseded_runs,
    unclaimed_runs,
)
from analytics_worker.prefect_support.pagination import LARGEST_PAGE


async def skip_superseded(
    client: PrefectClient, handed_out: Sequence[FlowRun], now: datetime, deadline: float
) -> set[UUID]:
    """Skip what need not run now, until the deadline; what of the handed-out runs must not be claimed."""
    late = [run for run in handed_out if is_late(run, now)]
    if not late:
        return set()
    waiting = await client.read_flow_runs(
        flow_run_filter=unclaimed_runs(late, now),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=LARGEST_PAGE,
    )
    fresh = [run for run in waiting if run.auto_scheduled and not run.run_count]
    pairs = superseded_runs(fresh)
    for run, newer in pairs:
        if time.monotonic() > deadline:
            break
        await client.set_flow_run_state(run.id, skipped_state(run, newer))
    return {run.id for run, _ in pairs}
