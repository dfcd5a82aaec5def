"""Recover runs that a killed worker of this state folder had claimed.

Reads the runs in progress of our pools; their label has the worker's id, a lock file shows whether
that worker still lives, and a file of the run's process whether the process does. A run whose process
lives is followed to its end. One whose process has ended becomes Crashed. One that never had a process
returns to its queue. Runs of any other worker are left to it and to the server's heartbeats. Safe to
repeat: a state is read again before it is changed.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from uuid import UUID

import httpx
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    WorkerFilter,
    WorkerFilterStatus,
    WorkPoolFilter,
    WorkPoolFilterName,
)
from prefect.client.schemas.objects import FlowRun, StateType, WorkerStatus
from prefect.exceptions import ObjectNotFound
from prefect.logging import get_logger
from prefect.states import Scheduled

from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.process_identity import ProcessIdentity, remove_record
from analytics_worker.worker import orphaned_processes
from analytics_worker.worker.run_executor import RunExecutor
from analytics_worker.worker.worker_identity import WORKER_LABEL, Claimant, WorkerIdentity

SWEEP_SECONDS = 15.0
RETRY_SECONDS = 2.0
FOLLOW_SECONDS = 2.0
OFFLINE_SECONDS = 60.0
"""How long the server must call a worker of another place offline: after its own downtime it calls all so."""
IN_PROGRESS = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
ORPHANED = "The run's process ended while no worker watched it."
LOST = "The worker was killed and the run's process has ended."

logger = get_logger("analytics_worker.worker.recovery")


class Recovery:
    """Looks after the runs of killed workers of this state folder, including our own former self."""

    def __init__(
        self,
        run_executor: RunExecutor,
        folder: Path,
        identity: WorkerIdentity,
        pools: Sequence[str],
        is_ours: Callable[[UUID], bool],
    ) -> None:
        """Set what to recover; nothing is read yet.

        Args:
            run_executor: Reports states.
            folder: Where workers of this host keep their locks and records.
            identity: The identity of this worker.
            pools: The pools to look at.
            is_ours: Whether this process claims or executes that run now.
        """
        self._run_executor = run_executor
        self._folder = folder
        self._identity = identity
        self._pools = list(pools)
        self._is_ours = is_ours
        self._followed: dict[UUID, asyncio.Task[None]] = {}
        self._suspects: dict[UUID, float] = {}

    async def watch(self) -> None:
        """Look for abandoned runs periodically."""
        retry = RETRY_SECONDS
        while True:
            try:
                await self.sweep()
            except (httpx.HTTPError, OSError) as error:
                problem = api_problem(error)
                logger.warning("could not look for abandoned runs, will retry: %s", problem)
                pause, retry = retry, min(retry * 2, SWEEP_SECONDS)
            else:
                pause = RETRY_SECONDS if self._suspects else SWEEP_SECONDS
                retry = RETRY_SECONDS
            await asyncio.sleep(pause)

    async def sweep(self) -> None:
        """Look once at every run in progress."""
        runs = await self._run_executor.client.read_flow_runs(
            work_pool_filter=WorkPoolFilter(name=WorkPoolFilterName(any_=self._pools)),
            flow_run_filter=FlowRunFilter(
                state=FlowRunFilterState(type=FlowRunFilterStateType(any_=IN_PROGRESS))
            ),
        )
        before, self._suspects = self._suspects, {}
        for run in runs:
            if not await self._is_abandoned(run):
                continue
            # Twice in a row: a run that was claimed or ended a moment ago looks abandoned, too.
            since = before.get(run.id)
            if since is not None and time.monotonic() >= since + self._patience(run):
                await self._recover(run)
            else:
                self._suspects[run.id] = since or time.monotonic()

    async def _is_abandoned(self, run: FlowRun) -> bool:
        if self._is_ours(run.id) or run.id in self._followed:
            return False
        claimant = self._claimant(run)
        if claimant is Claimant.FORMER:
            # Its process may live in a place that we do not see, but then it sends heartbeats.
            is_pending = run.state is not None and run.state.is_pending()
            return is_pending and not self._records(run.id) and await self._is_offline(run)
        return claimant is Claimant.ENDED

    def _claimant(self, run: FlowRun) -> Claimant:
        return self._identity.claimant(str(run.labels.get(WORKER_LABEL, "")))

    def _patience(self, run: FlowRun) -> float:
        return OFFLINE_SECONDS if self._claimant(run) is Claimant.FORMER else 0.0

    async def _is_offline(self, run: FlowRun) -> bool:
        """Whether no worker of the name that claimed the run sends heartbeats to the server."""
        online = WorkerFilter(status=WorkerFilterStatus(any_=[WorkerStatus.ONLINE.value]))
        try:
            workers = await self._run_executor.client.read_workers_for_work_pool(
                str(run.work_pool_name), worker_filter=online
            )
        except ObjectNotFound:
            return False
        return run.labels.get("prefect.worker.name") not in {worker.name for worker in workers}

    def _records(self, run: UUID) -> list[Path]:
        """Return the notes of this folder about the run's process."""
        return [record for record in self._record_paths(run) if record.exists()]

    def _record_paths(self, run: UUID) -> list[Path]:
        return [self._folder / "runs" / name for name in (str(run), f"{run}.started")]

    async def _recover(self, run: FlowRun) -> None:
        """Act on what this host noted about the run's process; the API's data is not trusted."""
        records, noted = self._record_paths(run.id), self._records(run.id)
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
        logger.warning("run %s was claimed and not started in time; it is queued again", run.id)

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
