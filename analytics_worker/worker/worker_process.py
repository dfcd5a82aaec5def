"""The worker's process: its fork servers, one executor, one worker per pool, until a signal stops it.

Takes a name that no other worker of this state folder has (a lock file), and with it an id that no other
worker has anywhere. SIGTERM and SIGINT drain: no more runs are claimed, those in progress may end; a second one ends them.
SIGHUP makes new fork servers. Safe to kill: the next worker of this host settles what is left.
"""

import asyncio
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from uuid import UUID

import anyio
from prefect.logging import get_logger

from analytics_worker.prefect_support.api_tls import share_api_ssl_context
from analytics_worker.prefect_support.result_libraries import restrict_result_libraries
from analytics_worker.preload.code_reload import Project
from analytics_worker.private_folder import create_private
from analytics_worker.worker.event_listener import EventListener
from analytics_worker.worker.fork_server.child_environment import child_environment
from analytics_worker.worker.fork_server.client import ForkServerClient
from analytics_worker.worker.fork_server.pool import ForkServerPool
from analytics_worker.worker.heartbeats import send_heartbeats
from analytics_worker.worker.job_override_policy import JobPolicy
from analytics_worker.worker.liveness import Liveness
from analytics_worker.worker.pool_log_handler import current_pool, log_file, split_by_pool
from analytics_worker.worker.pool_worker import PoolWorker
from analytics_worker.worker.recovery import Recovery
from analytics_worker.worker.restart_on_error import restart_on_error
from analytics_worker.worker.run_executor import RunExecutor
from analytics_worker.worker.run_monitor import limit_memory, poll_cancellations
from analytics_worker.worker.run_spec import LaunchOptions
from analytics_worker.worker.server_clock import ServerClock
from analytics_worker.worker.upcoming_runs import UpcomingRuns
from analytics_worker.worker.worker_identity import WorkerIdentity, acquire_name

KEEP_SPARE_SECONDS = 300.0
"""dbt takes 75 MB, for two scheduled runs a day."""

logger = get_logger("worker")


@dataclass(frozen=True)
class Options:
    """The pools to serve, and how."""

    pools: Sequence[str]
    state_dir: Path
    project: Project
    policy: JobPolicy
    name: str = field(default_factory=socket.gethostname)
    log_dir: Path | None = None
    preload: Sequence[str] = ()
    """Modules, or ``module:function`` to be called."""
    spares: Sequence[str] = ()
    """Pools whose runs start a process of their own that needs what is preloaded."""
    spare_preload: Sequence[str] = ()
    """Modules that are preloaded in addition, for the first run that needs them."""
    poll_seconds: float = 10.0
    drain_seconds: float = 30.0
    recycle_after: int = 1000
    memory_limit_mb: int | None = None

    @property
    def folder(self) -> Path:
        """Folder in which workers of this host keep their locks and records."""
        return self.state_dir / "worker"


class WorkerProcess:
    """All parts of one worker process."""

    def __init__(self, options: Options) -> None:
        """Take a name; nothing is started yet."""
        self.options = options
        self._lock = acquire_name(options.folder, options.name)
        self._identity = WorkerIdentity(self._lock)
        self._liveness = Liveness(options.folder, self._lock.path.stem)
        self.name = self._identity.name
        self._environment = child_environment(options.folder)
        self.fork_servers = ForkServerPool(
            self._template(options.preload),
            self._template([*options.preload, *options.spare_preload], KEEP_SPARE_SECONDS),
        )
        self._run_executor = RunExecutor(self.fork_servers)
        self._clock = ServerClock()
        self._records = options.folder / "runs"
        create_private(self._records)
        self._workers = [self._worker(pool) for pool in options.pools]
        pools = {pool: partial(self._expect, n) for n, pool in enumerate(options.pools)}
        self._upcoming = UpcomingRuns(pools, self._clock)
        self._stop = asyncio.Event()
        self._stop_now = asyncio.Event()

    def _template(
        self, preload: Sequence[str], keep_seconds: float | None = None
    ) -> ForkServerClient:
        options = self.options
        return ForkServerClient(
            [*preload, *options.project.modules],
            lambda: self._environment,
            options.recycle_after,
            keep_seconds,
            options.project.state,
        )

    def _worker(self, pool: str) -> PoolWorker:
        log_dir = self.options.log_dir
        launch_options = LaunchOptions(
            environment=self._environment,
            records=self._records,
            output=log_file(log_dir, pool) if log_dir else None,
            spare=pool in self.options.spares,
            project=self.options.project,
            any_function=self.options.policy.allow_overrides,
        )
        return PoolWorker(
            pool,
            name=f"{self.name}-{pool}",
            worker_id=self._identity.id,
            run_executor=self._run_executor,
            launch_options=launch_options,
            policy=self.options.policy,
            clock=self._clock,
        )

    async def serve(self) -> None:
        """Serve until a signal stops it, then drain."""
        self._listen_to_signals()
        if self.options.log_dir:
            split_by_pool(self.options.log_dir, self.options.pools)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.fork_servers.close)
            await self.fork_servers.ensure()
            await stack.enter_async_context(self._run_executor)
            self._clock.follow(self._run_executor.client)
            async with anyio.create_task_group() as group:
                self._start(group)
                await self._stop.wait()
                await self._drain()
                group.cancel_scope.cancel()
        self._liveness.end()
        self._lock.release()

    def _start(self, group: anyio.abc.TaskGroup) -> None:
        options = self.options
        for number, pool in enumerate(options.pools):
            token = current_pool.set(pool)
            group.start_soon(
                restart_on_error, f"the worker of {pool}", partial(self._serve_pool, number)
            )
            current_pool.reset(token)
        group.start_soon(restart_on_error, "liveness", self._liveness.report)
        recovery = Recovery(
            self._run_executor, options.folder, self._identity, options.pools, self._is_ours
        )
        group.start_soon(restart_on_error, "recovery", recovery.watch)
        group.start_soon(restart_on_error, "wake-up", self._wake_up)
        group.start_soon(restart_on_error, "upcoming runs", self._watch_upcoming_runs)
        for name, work in (("cancellation", poll_cancellations), ("heartbeats", send_heartbeats)):
            group.start_soon(restart_on_error, name, partial(work, self._run_executor))
        if options.memory_limit_mb:
            limit = partial(limit_memory, self._run_executor, options.memory_limit_mb)
            group.start_soon(restart_on_error, "memory limit", limit)

    async def _serve_pool(self, number: int) -> None:
        try:
            await self._workers[number].serve()
        finally:
            self._workers[number] = self._worker(self.options.pools[number])

    async def _wake_up(self) -> None:
        """Follow events once every pool is known to the server."""
        while not all(worker.pool_id for worker in self._workers):  # noqa: ASYNC110  # of each
            await asyncio.sleep(0.2)
        logger.info("%s serves %s", self.name, ", ".join(self.options.pools))
        ids = {w.pool_id: partial(self._wake, n) for n, w in enumerate(self._workers) if w.pool_id}
        async with anyio.create_task_group() as group:

            def cancel(run: UUID) -> None:
                group.start_soon(self._run_executor.cancel, run)

            group.start_soon(self._end_with_pools, group.cancel_scope, set(ids))
            await EventListener(ids, cancel).listen()

    async def _end_with_pools(self, scope: anyio.CancelScope, known: set[UUID]) -> None:
        """End the subscription once a pool that was deleted exists again: events name it by its id."""
        while {w.pool_id for w in self._workers if w.pool_id} <= known:  # noqa: ASYNC110  # of each
            await asyncio.sleep(1.0)
        scope.cancel()

    async def _watch_upcoming_runs(self) -> None:
        await self._upcoming.watch(self._run_executor.client, self.options.poll_seconds)

    def _expect(self, number: int, run: UUID | None, due: datetime) -> None:
        self._workers[number].expect(run, due)

    def _wake(self, number: int, for_work: bool) -> None:
        self._workers[number].wake(for_work=for_work)
        if for_work:
            self._upcoming.announce()

    def _is_ours(self, run: UUID) -> bool:
        return run in self._run_executor.active or any(w.is_busy_with(run) for w in self._workers)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(
            signal.SIGHUP, lambda: loop.create_task(self.fork_servers.recycle())
        )

    def _on_stop(self) -> None:
        if self._stop.is_set():
            self._stop_now.set()
        self._stop.set()

    async def _drain(self) -> None:
        """Let the runs in progress end; end those that take too long."""
        seconds = self.options.drain_seconds
        for worker in self._workers:
            worker.stop_claiming()
        with anyio.move_on_after(seconds):
            while self._busy() and not self._stop_now.is_set():  # noqa: ASYNC110  # of two kinds
                await asyncio.sleep(0.1)
        reason = f"The worker was stopped and the run did not end within {seconds:.0f} s."
        for run in set(self._run_executor.active):
            await self._run_executor.kill(run, reason)
        with anyio.move_on_after(seconds):
            while self._busy():  # noqa: ASYNC110  # until their end is reported
                await asyncio.sleep(0.1)

    def _busy(self) -> bool:
        return bool(self._run_executor.active) or any(w.has_work for w in self._workers)


def serve(options: Options) -> None:
    """Run one worker process to its end."""
    restrict_result_libraries()
    share_api_ssl_context()
    asyncio.run(WorkerProcess(options).serve())
