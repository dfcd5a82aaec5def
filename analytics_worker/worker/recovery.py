"""Recover runs that a killed worker of this host had claimed.

Reads the runs in progress of our pools; their label names the worker, a lock file shows whether
that worker still lives, and a file of the run's process whether the process does. A run whose process
lives is followed to its end. One whose process has ended becomes Crashed. One that never had a process
returns to its queue. Safe to repeat: a state is read again before it is changed.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import httpx
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.logging import get_logger
from prefect.states import Scheduled

from analytics_worker.worker import orphaned_processes
from analytics_worker.worker.process_identity import NameLock, ProcessIdentity, remove_record
from analytics_worker.worker.run_executor import RunExecutor

SWEEP_SECONDS = 15.0
RETRY_SECONDS = 2.0
FOLLOW_SECONDS = 2.0
IN_PROGRESS = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
ORPHANED = "The run's process ended while no worker watched it."
LOST = "The worker was killed and the run's process has ended."

logger = get_logger("analytics_worker.worker.recovery")


class Recovery:
    """Looks after the runs of killed workers of this host, including our own former self."""

    def __init__(
        self,
        run_executor: RunExecutor,
        folder: Path,
        name: str,
        pools: Sequence[str],
        is_ours: Callable[[UUID], bool],
    ) -> None:
        """Set what to recover; nothing is read yet.

        Args:
            run_executor: Reports states.
            folder: Where workers of this host keep their locks and records.
            name: Name of this worker.
            pools: The pools to look at.
            is_ours: Whether this process claims or executes that run now.
        """
        self._run_executor = run_executor
        self._folder = folder
        self._name = name
        self._pools = list(pools)
        self._is_ours = is_ours
        self._followed: dict[UUID, asyncio.Task[None]] = {}
        self._suspects: set[UUID] = set()

    async def watch(self) -> None:
        """Look for abandoned runs periodically."""
        while True:
            pause = SWEEP_SECONDS
            try:
                await self.sweep()
            except (httpx.HTTPError, OSError) as error:
                logger.warning("could not look for abandoned runs, will retry: %r", error)
                pause = RETRY_SECONDS
            await asyncio.sleep(RETRY_SECONDS if self._suspects else pause)

    async def sweep(self) -> None:
        """Look once at every run in progress."""
        runs = await self._run_executor.client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=self._pools)),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=IN_PROGRESS))
            ),
        )
        abandoned = [run for run in runs if self._is_abandoned(run)]
        suspects = {run.id for run in abandoned}
        # Twice in a row: a run that was claimed or ended a moment ago looks abandoned, too.
        for run in abandoned:
            if run.id in self._suspects:
                await self._recover(run)
                suspects.discard(run.id)
        self._suspects = suspects

    def _is_abandoned(self, run: FlowRun) -> bool:
        if self._is_ours(run.id) or run.id in self._followed:
            return False
        worker = str(run.labels.get("prefect.worker.name", ""))
        pool = str(run.labels.get("prefect.work-pool.name", ""))
        owner = worker.removesuffix(f"-{pool}")
        return owner == self._name or self._is_dead(owner)

    def _is_dead(self, owner: str) -> bool:
        """Whether that worker was one of this host and has ended.

        The name is a label, which any client of the API can write: it never becomes a path.
        """
        paths = {path.stem: path for path in self._folder.glob("*.lock")}
        if owner not in paths:
            return False
        lock = NameLock(paths[owner])
        if not lock.acquire():
            return False
        lock.release()
        return True

    async def _recover(self, run: FlowRun) -> None:
        """Act on what this host noted about the run's process; the API's data is not trusted."""
        records = [self._folder / "runs" / name for name in (str(run.id), f"{run.id}.started")]
        noted = [record for record in records if record.exists()]
        processes = [p for p in map(ProcessIdentity.read, noted) if p and p.is_alive()]
        if processes:
            task = asyncio.create_task(self._follow(run.id, processes[0], records))
            self._followed[run.id] = task
            task.add_done_callback(lambda _: self._followed.pop(run.id, None))
        elif not noted and run.state is not None and run.state.is_pending():
            await self._requeue(run)
        else:
            await self._settle(run.id, LOST, records)

    async def _settle(self, run: UUID, reason: str, records: Sequence[Path]) -> None:
        await self._run_executor.settle(run, reason)
        for record in records:
            remove_record(record)

    async def _requeue(self, run: FlowRun) -> None:
        """Put a run back whose process was never started."""
        now = await self._run_executor.client.read_flow_run(run.id)
        if self._is_ours(run.id) or now.state_id != run.state_id:
            return
        await self._run_executor.client.set_flow_run_state(run.id, Scheduled(), force=True)
        logger.warning("run %s was claimed by a worker that has ended; it is queued again", run.id)

    async def _follow(self, run: UUID, process: ProcessIdentity, records: Sequence[Path]) -> None:
        """Wait for the end of a process that lost its worker; cancel it when asked to."""
        logger.info("following run %s in process %s", run, process.pid)
        while process.is_alive():
            await asyncio.sleep(FOLLOW_SECONDS)
            try:
                state = (await self._run_executor.client.read_flow_run(run)).state
            except (httpx.HTTPError, OSError):
                continue
            if state is not None and state.is_cancelling():
                await orphaned_processes.cancel(process, records[0])
        await self._settle(run, ORPHANED, records)
