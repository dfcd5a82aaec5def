"""Monitor active runs: their memory, and missed requests to cancel them.

Reads /proc and the Prefect API; ends a run that uses more memory than it may, cancels a run that
waits for it. Safe to repeat.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.logging import get_logger

from analytics_worker.worker.run_executor import RunExecutor

MEMORY_SECONDS = 0.5
CANCELLATION_SECONDS = 5.0
PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 1024 * 1024

MAX_RUN_MEGABYTES = 1536
"""The heaviest run of the benchmarks takes 192 MB; drawing a PDF may take 1,024 MB more, by its own limit."""
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")

logger = get_logger("analytics_worker.worker.run_monitor")


def default_limit_mb(container_limit: Path = CONTAINER_LIMIT) -> int:
    """Return half of the memory, so that one run can't exhaust the host, but no more than a run needs."""
    memory = PAGE * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # no container, or one without a limit: "max"
        memory = min(memory, int(container_limit.read_text()))
    return min(MAX_RUN_MEGABYTES, memory // 2 // MEGABYTE)


def descendants(pid: int) -> Iterator[int]:
    """The process and everything below it, in whichever session."""
    yield pid
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                yield from descendants(int(child))
    except (FileNotFoundError, ProcessLookupError):
        return


def resident_bytes(pid: int) -> int:
    """Memory of one process, pages that it shares with the fork server counted in full."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (FileNotFoundError, ProcessLookupError):
        return 0


def proportional_bytes(pid: int) -> int:
    """Memory of one process, shared pages counted in proportion."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def memory_of(pid: int, limit: int) -> int:
    """Memory of a run's processes: cheaply while that is below the limit, else exactly."""
    tree = list(descendants(pid))
    roughly = sum(map(resident_bytes, tree))
    return roughly if roughly <= limit else sum(map(proportional_bytes, tree))


async def limit_memory(run_executor: RunExecutor, megabytes: int) -> None:
    """End every run that uses more memory than this, forever."""
    limit = megabytes * MEGABYTE
    while True:
        for run, pid in run_executor.pids().items():
            used = memory_of(pid, limit)
            if used > limit:
                reason = (
                    f"The run used {used // MEGABYTE} MB of memory; its limit is {megabytes} MB"
                    " (WORKER_RUN_MEMORY_LIMIT_MB)."
                )
                await run_executor.kill(run, reason)
        await asyncio.sleep(MEMORY_SECONDS)


async def poll_cancellations(run_executor: RunExecutor) -> None:
    """Cancel the runs whose event was missed, forever: during an outage, under load."""
    while True:
        await asyncio.sleep(CANCELLATION_SECONDS)
        if not run_executor.active:
            continue
        try:
            waiting = await run_executor.client.read_flow_runs(
                flow_run_filter=FlowRunFilter(
                    id=FlowRunFilterId(any_=list(run_executor.active)),
                    state=FlowRunFilterState(
                        type=FlowRunFilterStateType(any_=[StateType.CANCELLING])
                    ),
                )
            )
        except httpx.HTTPError as error:
            logger.debug("cannot look for cancelled runs: %r", error)
            continue
        await asyncio.gather(*(run_executor.cancel(run.id) for run in waiting))
