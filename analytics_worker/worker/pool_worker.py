"""A worker of one ``process`` work pool whose runs are forked, not started.

Prefect's process worker, except for three things: runs are started by `RunStarter`, an event makes
it poll at once, and it claims runs only in its turn. Reads the pool's queue; writes states, labels
and logs of its runs.
"""

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Self, cast
from uuid import UUID

import anyio
import httpx
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, WorkerMetadata
from prefect.exceptions import ObjectNotFound
from prefect.workers.base import BaseWorker

from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.worker.caching_client import CachingClient
from analytics_worker.worker.claim_batches import claim_in_batches
from analytics_worker.worker.claim_lock import ClaimLock, ClaimLockTimeoutError
from analytics_worker.worker.fair_share import FairShare
from analytics_worker.worker.foreign_answers import refuse_foreign_answers
from analytics_worker.worker.job import Job
from analytics_worker.worker.job_override_policy import JobPolicy
from analytics_worker.worker.pool_sync import RETRY_SECONDS, PoolSync
from analytics_worker.worker.run_executor import RunExecutor
from analytics_worker.worker.run_spec import LaunchOptions
from analytics_worker.worker.server_clock import ServerClock
from analytics_worker.worker.skip_superseded import skip_superseded
from analytics_worker.worker.start_timers import StartTimers
from analytics_worker.worker.worker_metadata import integrations

POLL_TIMEOUT_SECONDS = 8.0
MAX_RETRY_SECONDS = 30.0
QUIET_SECONDS = 40.0
"""Longest time between two polls: the server takes a queue for abandoned that was not polled for a minute."""
SPARE_AHEAD_SECONDS = 40.0
"""Seconds before its start at which the fork server of a run with a warm process is started."""


class PoolWorker(PoolSync):
    """Serve one pool; the pools of a process share its fork server and its executor."""

    type = "process"
    job_configuration = Job
    _display_name = "Process"
    _description = "Runs flow runs in processes forked from a preloaded fork server."

    @classmethod
    def __dispatch_key__(cls) -> str | None:
        """A key of our own: ``process`` stays Prefect's worker."""
        return "process-forked"

    def __init__(
        self,
        pool: str,
        *,
        name: str,
        worker_id: str,
        run_executor: RunExecutor,
        launch_options: LaunchOptions,
        policy: JobPolicy,
        clock: ServerClock,
    ) -> None:
        """Set the pool; the worker's name and id are the same after every restart in one place."""
        super().__init__(
            work_pool_name=pool, name=name, create_pool_if_not_found=False, prefetch_seconds=0
        )
        self.pool = pool
        self.worker_id = worker_id
        self.claiming: set[UUID] = set()
        self._run_executor = run_executor
        self._launch_options = launch_options
        self._policy = policy
        self._wake = asyncio.Event()
        self._clock = clock
        self._start_timers = StartTimers(clock.time)
        self._claimed = asyncio.Condition()
        self._lock: ClaimLock | None = None
        self._fair_share = FairShare(pool, self.wake)
        self._failed_polls = 0
        self._expects_work = False
        self._active_count = 0
        self._draining = False

    async def __aenter__(self) -> Self:
        """Open the client only: Prefect's worker also opens a runner, for runs submitted ad hoc."""
        try:
            await BaseWorker.__aenter__(self)
        except BaseException as error:  # stopped while it connects: what is open is closed in order
            await self._exit_stack.__aexit__(type(error), error, error.__traceback__)
            raise
        refuse_foreign_answers(super().client)
        self._clock.follow(super().client)
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        """Close the client."""
        await BaseWorker.__aexit__(self, *exc_info)

    @property
    def client(self) -> PrefectClient:
        """Prefect's client, which does not ask twice while a run is submitted."""
        return cast("PrefectClient", CachingClient(super().client))

    @property
    def pool_id(self) -> UUID | None:
        """The pool's id, once the server has been reached."""
        return self._work_pool.id if self._work_pool else None

    @property
    def has_work(self) -> bool:
        """Whether runs are on their way from the queue to their process."""
        return bool(self.claiming or self._submitting_flow_run_ids)

    def is_busy_with(self, run: UUID) -> bool:
        """Whether that run is on its way from the queue to its process."""
        return run in self.claiming or run in self._submitting_flow_run_ids

    def wake(self, *, for_work: bool = False) -> None:
        """Poll as soon as possible; for work that is known to be there, without looking first."""
        self._expects_work |= for_work
        self._wake.set()

    def expect(self, run: UUID | None, due: datetime) -> None:
        """Poll when the run is due; as soon as possible if it is due already."""
        wait = self._start_timers.set(run, due, self.wake)
        if self._launch_options.spare and 0 < wait <= SPARE_AHEAD_SECONDS:
            self._run_executor.fork_servers.expect_spare()

    def stop_claiming(self) -> None:
        """Take no more work."""
        self._draining = True

    async def serve(self) -> None:
        """Poll and send heartbeats until cancelled. An unreachable server is tried again."""
        async with self, anyio.create_task_group() as group:
            group.start_soon(self.keep_in_sync)
            self._started_event = await self._emit_worker_started_event()
            while True:
                await self._poll()
                with anyio.move_on_after(QUIET_SECONDS):
                    await self._wake.wait()

    async def _worker_metadata(self) -> WorkerMetadata | None:
        """Prefect's, without importing every integration to learn its name: dbt alone is 90 MB."""
        return WorkerMetadata(integrations=integrations())

    async def _poll(self) -> None:
        self._wake.clear()
        expected, self._expects_work = self._expects_work, False
        try:
            if self._clock.fits and (expected or await self._due_runs()):
                lock = await self._claim_lock()
                async with lock.acquire(self._fair_share.workers):
                    await self._claim(lock)
            self._failed_polls = 0
        except (httpx.HTTPError, OSError, ClaimLockTimeoutError) as error:
            pause = min(MAX_RETRY_SECONDS, RETRY_SECONDS * 2**self._failed_polls)
            self._failed_polls = min(self._failed_polls + 1, 10)
            problem = api_problem(error)
            self._logger.warning("poll failed, will retry in %.0f s: %s", pause, problem)
            asyncio.get_running_loop().call_later(pause, self._wake.set)

    async def _claim_lock(self) -> ClaimLock:
        if self._lock is None:
            lock = ClaimLock(self.client, self.pool)
            await lock.prepare()
            self._lock = lock
        return self._lock

    async def _due_runs(self) -> list[Any]:
        """Return the runs that are due by the server's clock."""
        has_pool = self._has_successfully_synced and self.work_pool.type == self.type
        if self._draining or not has_pool:
            return []
        handed_out: list[Any] = []
        with suppress(ObjectNotFound), anyio.fail_after(POLL_TIMEOUT_SECONDS):
            handed_out = await self.client.get_scheduled_flow_runs_for_work_pool(
                self.pool, scheduled_before=self._clock.now()
            )
        found = handed_out if self._clock.fits else ()
        return [entry for entry in found if entry.flow_run.id not in self.claiming]

    async def _claim(self, lock: ClaimLock) -> None:
        """Ask again, now that it is our turn, and keep the turn until each run is PENDING."""
        due = await self._due_runs()
        half = time.monotonic() + (lock.expires_at - time.monotonic()) / 2
        runs = [entry.flow_run for entry in due]
        superfluous = await skip_superseded(self.client, runs, self._clock.now(), half)
        due = [entry for entry in due if entry.flow_run.id not in superfluous]
        limit = self.work_pool.concurrency_limit
        self._expects_work = bool(due) and len(due) + self._active_count >= (limit or math.inf)
        own = max(self._active_count, len(self._submitting_flow_run_ids))
        chosen = await self._fair_share.choose(self.client, due, own, limit, lock.answer_seconds)
        if await claim_in_batches(chosen, lock, self._claim_batch):
            self.wake(for_work=True)

    async def _claim_batch(self, batch: Sequence[Any], lock: ClaimLock) -> None:
        self.claiming = {entry.flow_run.id for entry in batch} - self._submitting_flow_run_ids
        await self._submit_scheduled_flow_runs(list(batch))
        async with self._claimed:
            with anyio.move_on_after(lock.expires_at - time.monotonic()):
                await self._claimed.wait_for(lambda: not self.claiming)

    async def _release(self, run: UUID) -> None:
        if run in self.claiming:
            self.claiming.discard(run)
            async with self._claimed:
                self._claimed.notify_all()

    async def _submit_run(self, flow_run: FlowRun) -> None:
        """Prefect's, but the run is labeled before it is claimed, and no error ends the worker."""
        try:
            known = CachingClient(super().client).prefetch(flow_run)
            await asyncio.gather(known, self.label(flow_run.id), self.read_facts())
            await super()._submit_run(flow_run)
        except (httpx.HTTPError, OSError) as error:
            self._submitting_flow_run_ids.discard(flow_run.id)
            self._logger.warning("run %s is not submitted: %s", flow_run.id, api_problem(error))
        finally:
            await self._release(flow_run.id)

    async def _give_worker_labels_to_flow_run(self, flow_run_id: UUID) -> None:
        """Done before the run was claimed: a worker that is killed must find its runs again."""

    async def _propose_pending_state(self, flow_run: FlowRun) -> bool:
        """Propose it as Prefect does, but never after the claim lock has expired."""
        try:
            expires_at = self._lock.expires_at if self._lock else 0.0
            with anyio.fail_after(expires_at - time.monotonic()):
                return await super()._propose_pending_state(flow_run)
        except TimeoutError:
            return False  # if the server has accepted it all the same, the run is found abandoned
        finally:
            await self._release(flow_run.id)
