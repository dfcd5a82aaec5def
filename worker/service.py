"""The worker's process: one template, one execution, one worker per pool, until told to stop.

Takes a name that no other worker of this host has (a lock file below the state directory). SIGTERM
and SIGINT drain: no more runs are claimed, those in progress may end; a second one ends them.
SIGHUP makes a new template. Safe to kill: the next worker of this host settles what is left.
"""

import asyncio
import signal
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID

import anyio
from prefect.logging import get_logger

from worker.child_environment import child_environment
from worker.execution import Execution
from worker.identity import NameLock
from worker.pool_logs import current_pool, log_file, split_by_pool
from worker.pool_worker import PoolWorker
from worker.recovery import Recovery
from worker.template_client import TemplateClient
from worker.wakeup import Wakeup
from worker.watch import limit_memory, notice_cancellations

MOST_WORKERS = 100

logger = get_logger("worker")


@dataclass(frozen=True)
class Options:
    """How to serve which pools."""

    pools: Sequence[str]
    state_dir: Path
    name: str = field(default_factory=socket.gethostname)
    log_dir: Path | None = None
    preload: Sequence[str] = ()
    poll_seconds: float = 10.0
    drain_seconds: float = 30.0
    recycle_after: int = 1000
    memory_limit_mb: int | None = None

    @property
    def folder(self) -> Path:
        """Where workers of this host keep their locks and records."""
        return self.state_dir / "worker"


class NoNameError(Exception):
    """Too many workers run on this host under one name."""


def take_name(options: Options) -> NameLock:
    """The first free name of ``host``, ``host-2`` and so on.

    Raises:
        NoNameError: none is free.
    """
    names = [options.name, *(f"{options.name}-{n}" for n in range(2, MOST_WORKERS))]
    for name in names:
        lock = NameLock(options.folder / f"{name}.lock")
        if lock.take():
            return lock
    raise NoNameError(f"{MOST_WORKERS} workers run as {options.name} already")


class Service:
    """All parts of one worker process."""

    def __init__(self, options: Options) -> None:
        """Take a name; nothing is started yet."""
        self.options = options
        self._lock = take_name(options)
        self.name = self._lock.path.stem
        self._environment = child_environment(options.folder)
        self.template = TemplateClient(
            options.preload, lambda: self._environment, options.recycle_after
        )
        self._execution = Execution(self.template)
        self._records = options.folder / "runs"
        self._records.mkdir(parents=True, exist_ok=True)
        self._workers = [self._worker(pool) for pool in options.pools]
        self._stop = asyncio.Event()
        self._at_once = asyncio.Event()

    def _worker(self, pool: str) -> PoolWorker:
        log_dir = self.options.log_dir
        return PoolWorker(
            pool,
            name=f"{self.name}-{pool}",
            execution=self._execution,
            environment=self._environment,
            records=self._records,
            output=log_file(log_dir, pool) if log_dir else None,
        )

    async def serve(self) -> None:
        """Serve until told to stop, then drain."""
        self._listen_to_signals()
        if self.options.log_dir:
            split_by_pool(self.options.log_dir, self.options.pools)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.template.close)
            await self.template.ensure()
            await stack.enter_async_context(self._execution)
            async with anyio.create_task_group() as group:
                self._start(group)
                await self._stop.wait()
                await self._drain()
                group.cancel_scope.cancel()
        self._lock.release()

    def _start(self, group: anyio.abc.TaskGroup) -> None:
        for worker in self._workers:
            token = current_pool.set(worker.pool)
            group.start_soon(self._serve_pool, worker)
            current_pool.reset(token)
        group.start_soon(self._wake_up)
        group.start_soon(notice_cancellations, self._execution)
        recovery = Recovery(
            self._execution, self.options.folder, self.name, self.options.pools, self._is_ours
        )
        group.start_soon(recovery.watch)
        if self.options.memory_limit_mb:
            group.start_soon(limit_memory, self._execution, self.options.memory_limit_mb)

    async def _serve_pool(self, worker: PoolWorker) -> None:
        await worker.serve(poll_seconds=self.options.poll_seconds)

    async def _wake_up(self) -> None:
        """Follow events once every pool is known to the server."""
        while not all(worker.pool_id for worker in self._workers):  # noqa: ASYNC110  # of each
            await asyncio.sleep(0.2)
        logger.info("%s serves %s", self.name, ", ".join(self.options.pools))
        pools = {worker.pool_id: worker.wake for worker in self._workers if worker.pool_id}
        async with anyio.create_task_group() as group:

            def cancel(run: UUID) -> None:
                group.start_soon(self._execution.cancel, run)

            await Wakeup(pools, cancel).listen()

    def _is_ours(self, run: UUID) -> bool:
        return run in self._execution.active or any(w.is_busy_with(run) for w in self._workers)

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._on_stop)
        loop.add_signal_handler(signal.SIGHUP, lambda: loop.create_task(self.template.recycle()))

    def _on_stop(self) -> None:
        if self._stop.is_set():
            self._at_once.set()
        self._stop.set()

    async def _drain(self) -> None:
        """Let the runs in progress end; end those that take too long."""
        seconds = self.options.drain_seconds
        for worker in self._workers:
            worker.stop_claiming()
        with anyio.move_on_after(seconds):
            while self._busy() and not self._at_once.is_set():  # noqa: ASYNC110  # of two kinds
                await asyncio.sleep(0.1)
        reason = f"The worker was stopped and the run did not end within {seconds:.0f} s."
        for run in set(self._execution.active):
            await self._execution.kill(run, reason)
        with anyio.move_on_after(seconds):
            while self._busy():  # noqa: ASYNC110  # until their end is reported
                await asyncio.sleep(0.1)

    def _busy(self) -> bool:
        return bool(self._execution.active) or any(w.has_work for w in self._workers)


def serve(options: Options) -> None:
    """Run one worker process to its end."""
    asyncio.run(Service(options).serve())
