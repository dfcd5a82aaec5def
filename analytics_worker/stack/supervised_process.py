"""One supervised process: started, checked, started again with backoff, stopped.

Writes its output to a log file. Safe to repeat: every start is preceded by `SupervisedProcess.prepare`.
"""

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from analytics_worker.preload.client import ProcessHandle
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.rotating_log import LogFile
from analytics_worker.stack.state_dir import Component, created

FIRST_DELAY_SECONDS, LONGEST_DELAY_SECONDS = 1.0, 30.0
HEALTHY_AFTER_SECONDS = 60.0  # a process that lasted this long starts again without much delay


def _no_preparation() -> None:
    pass


@dataclass
class SupervisedProcess:
    """A component of the stack. `changed` is called whenever its pid or readiness changes."""

    name: str
    start: Callable[[], Awaitable[ProcessHandle]]
    is_ready: Callable[[], Awaitable[bool]]
    log: LogFile
    say: Callable[[str], None]
    changed: Callable[[], None] = _no_preparation
    prepare: Callable[[], Awaitable[None]] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 4.0
    abort_signal: signal.Signals | None = None
    """Sent to a process that has not stopped in time, before its group is killed."""
    check_seconds: float = 0.1
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    restarts: int = 0
    since: datetime | None = None
    process: ProcessHandle | None = None
    _stopping: bool = False

    async def run(self) -> None:
        """Keep the process running until `stop` is called.

        Raises:
            StackError: it ended before it was ready for the first time.
        """
        delay = FIRST_DELAY_SECONDS
        while not self._stopping:
            started = asyncio.get_running_loop().time()
            reason = await self._run_once()
            if self._stopping:
                return
            if self.since is None:
                raise StackError(
                    f"{self.name} {reason} before it was ready: {self._failure_detail()}"
                )
            if asyncio.get_running_loop().time() - started > HEALTHY_AFTER_SECONDS:
                delay = FIRST_DELAY_SECONDS
            self.say(f"{self.name} {reason}; starting it again in {delay:.0f} s ({self.log.path})")
            await asyncio.sleep(delay)
            delay = min(delay * 2, LONGEST_DELAY_SECONDS)
            self.restarts += 1

    async def wait_until_ready(self, running: asyncio.Task[None]) -> None:
        """Wait until it is ready, or for the reason why it never will be.

        Raises:
            StackError: as `run`, whose task this is.
        """
        ready = asyncio.create_task(self.ready.wait())
        await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if running.done():
            running.result()

    def component(self) -> Component:
        """Return the record of it for `analytics-worker status`."""
        pid = self.process.pid if self.process and self.process.returncode is None else None
        return Component(
            name=self.name,
            pid=pid,
            created=created(pid) if pid else None,
            ready=self.ready.is_set(),
            since=self.since.isoformat(timespec="seconds") if self.since else None,
            restarts=self.restarts,
        )

    async def stop(self) -> None:
        """End the process and what is left of its process group."""
        self._stopping = True
        process = self.process
        if process is None or process.returncode is not None:
            return
        for number in filter(None, (self.stop_signal, self.abort_signal)):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.stop_seconds)
                return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _run_once(self) -> str:
        """Start the process and wait for its end; how it ended, in words."""
        if self.prepare:
            try:
                await self.prepare()
            except StackError as error:
                if self.since is None:
                    raise
                return f"could not be started ({error})"
        self.process = await self.start()
        self.changed()
        waiting = asyncio.create_task(self._wait_until_ready())
        copying = asyncio.create_task(self._copy_output(self.process))
        try:
            code = await self.process.wait()
            # Keep its last output; its children may keep the pipe open for long.
            await asyncio.wait([copying], timeout=0.5)
        finally:
            waiting.cancel()
            copying.cancel()
            self.ready.clear()
            self.changed()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    async def _wait_until_ready(self) -> None:
        while not await self.is_ready():  # noqa: ASYNC110  # another process has no Event
            await asyncio.sleep(self.check_seconds)
        self.since = datetime.now(UTC)
        self.ready.set()
        self.changed()
        if self.restarts:
            self.say(f"{self.name} is available again")

    async def _copy_output(self, process: ProcessHandle) -> None:
        while process.stdout and (data := await process.stdout.read(65536)):
            self.log.write(data)

    def _failure_detail(self) -> str:
        return f"{self.log.last_line or 'no output'} (more in {self.log.path})"
