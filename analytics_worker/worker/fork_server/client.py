"""The worker's side of the fork server: requests children and reads how they end.

Starts the fork server when it is needed, and again after it died. A child whose fork server died continues;
only its exit status is lost. Writes nothing.
"""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any
from uuid import uuid4

import anyio
from prefect.logging import get_logger

from analytics_worker.preload.client import ProcessHandle
from analytics_worker.worker.fork_server.launch import start_process
from analytics_worker.worker.fork_server.protocol import (
    ForkReply,
    ForkRequest,
    encode,
    receive_async,
)

UNKNOWN_EXIT = 255
"""Exit code of a child that outlived its fork server."""
READY_SECONDS = 120.0

logger = get_logger("analytics_worker.worker.fork_server.process")


class ChildProcess:
    """A forked child, as Prefect's process handle wants a process."""

    def __init__(self, pid: int) -> None:
        """Take hold of a child that was just forked."""
        self.pid = pid
        self.returncode: int | None = None
        self.exited = asyncio.Event()
        self._pidfd = -1
        with contextlib.suppress(OSError):  # it has ended and is reaped already
            self._pidfd = os.pidfd_open(pid)

    def finish(self, code: int) -> None:
        """Note how it ended."""
        if self.returncode is None:
            self.returncode = code
            if self._pidfd >= 0:
                os.close(self._pidfd)
            self.exited.set()

    async def wait_after_fork_server(self) -> None:
        """Wait for the end of a child whose exit status is not reported."""
        if self._pidfd >= 0:
            await anyio.wait_readable(self._pidfd)
        self.finish(UNKNOWN_EXIT)


class _Session:
    """One fork server process and its children."""

    def __init__(self, process: ProcessHandle, writer: asyncio.StreamWriter, code: object) -> None:
        self.process = process
        self.writer = writer
        self.code = code
        self.forks = 0
        self.waiting: dict[str, asyncio.Future[ChildProcess]] = {}
        self.children: dict[str, ChildProcess] = {}

    def handle(self, reply: ForkReply) -> None:
        """Act on one answer."""
        key = reply["id"]
        if "pid" in reply:
            self.children[key] = ChildProcess(reply["pid"])
            if key in self.waiting:
                self.waiting.pop(key).set_result(self.children[key])
        elif "error" in reply:
            self.waiting.pop(key).set_exception(OSError(reply["error"]))
        elif "exit" in reply and key in self.children:
            self.children.pop(key).finish(reply["exit"])


class ForkServerClient:
    """Fork children from a fork server that is started when needed."""

    def __init__(
        self,
        preload: Sequence[str],
        environment: Callable[[], Mapping[str, str]],
        recycle_after: int,
        keep_seconds: float | None = None,
        state_of_code: Callable[[], object] = lambda: None,
    ) -> None:
        """Set what the fork server imports; it is started by the first fork or `ensure`.

        Args:
            preload: Modules, or ``module:function`` to be called.
            environment: The variables that it starts with.
            recycle_after: Forks after which a new one is made.
            keep_seconds: How long it is kept after its last use; None: forever.
            state_of_code: What it imports has been edited when this gives another value.
        """
        self._preload = ",".join(preload)
        self._environment = environment
        self._recycle_after = recycle_after
        self._keep_seconds = keep_seconds
        self._state_of_code = state_of_code
        self._request_count = 0
        self._session: _Session | None = None
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def pid(self) -> int | None:
        """Process id of the fork server, if there is one."""
        return self._session.process.pid if self._session else None

    @property
    def is_ready(self) -> bool:
        """Whether a fork need not wait for imports."""
        return self._session is not None and self._session.code == self._state_of_code()

    async def ensure(self) -> None:
        """Have a fork server that answers."""
        await self._current()

    async def fork(self, request: ForkRequest) -> ChildProcess:
        """A new child; a fork server that just died is replaced once.

        Raises:
            OSError: this host can't fork.
            ConnectionError: the fork server died twice.
        """
        try:
            return await self._fork(request)
        except ConnectionError:
            return await self._fork(request)

    async def recycle(self) -> None:
        """Fork later children from a new fork server; those that run are not touched."""
        async with self._lock:
            self._retire()

    def _retire(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            session.writer.write_eof()

    async def close(self) -> None:
        """End the fork server."""
        session = self._session
        await self.recycle()
        if session is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(session.process.wait(), 5)

    async def _fork(self, request: ForkRequest) -> ChildProcess:
        session = await self._current()
        key = uuid4().hex
        answer = session.waiting[key] = asyncio.get_running_loop().create_future()
        session.writer.write(encode({**request, "id": key}))
        await session.writer.drain()
        child = await answer
        session.forks += 1
        if session.forks >= self._recycle_after and session is self._session:
            await self.recycle()
        return child

    async def _current(self) -> _Session:
        self._request_count += 1
        if self._keep_seconds is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._keep_seconds, self._retire_if_idle, self._request_count)
        async with self._lock:
            code = self._state_of_code()
            if self._session is not None and self._session.code != code:
                self._retire()
            if self._session is None:
                self._session = await self._start(code)
            return self._session

    def _retire_if_idle(self, count: int) -> None:
        if count == self._request_count:
            self._spawn(self.recycle())

    async def _start(self, code: object) -> _Session:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await start_process(theirs, self._preload, self._environment())
        reader, writer = await asyncio.open_unix_connection(sock=ours)
        try:
            await asyncio.wait_for(receive_async(reader), READY_SECONDS)
        except BaseException:
            writer.close()
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
            raise
        session = _Session(process, writer, code)
        self._spawn(self._listen(reader, session))
        return session

    async def _listen(self, reader: asyncio.StreamReader, session: _Session) -> None:
        """Read the answers of one fork server until it ends."""
        with contextlib.suppress(EOFError, ConnectionError):
            while True:
                session.handle(await receive_async(reader))
        if self._session is session:
            self._session = None
        session.writer.close()
        code = await session.process.wait()
        if session.children or session.waiting:
            logger.warning("fork server %s ended with %s", session.process.pid, code)
        for answer in session.waiting.values():
            answer.set_exception(ConnectionError("the fork server died"))
        for child in session.children.values():
            self._spawn(child.wait_after_fork_server())

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
