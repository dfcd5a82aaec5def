"""Request processes from the base process, and handle them as asyncio handles its own.

Starts and signals processes; writes nothing.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Generator, Sequence
from typing import Any, Protocol

from analytics_worker.preload.request import (
    LARGEST_BYTES,
    LaunchRequest,
    decode_reply,
    send_request,
)

PR_SET_CHILD_SUBREAPER = 36
UNKNOWN_EXIT = 255
"""Exit code of a process that another one has reaped."""


class ProcessHandle(Protocol):
    """What the supervisor needs of a process; those of `asyncio.subprocess` have it, too."""

    @property
    def pid(self) -> int:
        """Its process id."""
        ...

    @property
    def returncode(self) -> int | None:
        """Its exit code once it has ended and `wait` has returned."""
        ...

    @property
    def stdin(self) -> StreamWriter | None:
        """Its standard input, if that is a pipe."""
        ...

    @property
    def stdout(self) -> StreamReader | None:
        """Its output, if that is a pipe."""
        ...

    async def wait(self) -> int:
        """Wait for its end."""
        ...

    def send_signal(self, signal: int, /) -> None:
        """Signal it."""
        ...


class ForkedProcess:
    """A process that was forked from the base process."""

    def __init__(self, pid: int) -> None:
        """Follow a process that has just been forked."""
        self.pid = pid
        self.returncode: int | None = None
        self.stdin: StreamWriter | None = None
        self.stdout: StreamReader | None = None
        self._ended = asyncio.Event()
        try:
            self._pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            self._finish(UNKNOWN_EXIT)
        else:
            asyncio.get_running_loop().add_reader(self._pidfd, self._reap)

    async def wait(self) -> int:
        """Wait for its end; how it ended."""
        await self._ended.wait()
        assert self.returncode is not None  # noqa: S101  # it has ended
        return self.returncode

    def send_signal(self, signal: int, /) -> None:
        """Signal it, unless it has ended.

        Raises:
            ProcessLookupError: it has just ended.
        """
        if self.returncode is None:
            os.kill(self.pid, signal)

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        try:
            _, status = os.waitpid(self.pid, 0)
        except ChildProcessError:
            self._finish(UNKNOWN_EXIT)
        else:
            self._finish(os.waitstatus_to_exitcode(status))

    def _finish(self, code: int) -> None:
        self.returncode = code
        if self.stdin is not None:
            self.stdin.close()
        self._ended.set()


class BaseProcessClient:
    """One connection to the base process."""

    def __init__(self, sock: socket.socket) -> None:
        """Take over the socket."""
        sock.setblocking(False)
        self._sock = sock
        self._lock = asyncio.Lock()

    async def receive(self) -> bytes:
        """Wait for a message; empty at the end of the base process."""
        return await asyncio.get_running_loop().sock_recv(self._sock, LARGEST_BYTES)

    async def launch(self, request: LaunchRequest, fds: Sequence[int]) -> ForkedProcess:
        """Request a process with these standard streams.

        Raises:
            OSError: it can't be forked.
            EOFError: the base process has ended.
        """
        async with self._lock:
            with _adopting(request["parent"]):
                send_request(self._sock, request, fds)
                reply = decode_reply(await self.receive())
        if "pid" not in reply:
            raise OSError(reply.get("error"))
        return ForkedProcess(reply["pid"])

    def close(self) -> None:
        """End the connection."""
        self._sock.close()


@contextlib.contextmanager
def _adopting(parent: int | None) -> Generator[None]:
    """Become the parent of what loses its own meanwhile. Only then: other orphans are the guardian's to reap."""
    if parent is None:
        yield
        return
    prctl: Any = ctypes.CDLL(None).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
