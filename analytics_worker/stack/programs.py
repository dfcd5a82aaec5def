"""Start the stack's processes: Python ones from the base process, others as programs.

Where there is no base process, a Python process starts without it, and imports everything itself. Starts
processes, which end with this one; writes nothing.
"""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analytics_worker.preload.client import BaseProcessClient, ForkedProcess, ProcessHandle
from analytics_worker.preload.command_line import PADDING
from analytics_worker.preload.request import READY, LaunchRequest, socket_pair
from analytics_worker.stack import pdeathsig_exec
from analytics_worker.stack.base_fork import ForkedBase

LINE_BYTES = 1 << 24
SINGLE_ARENA = {"MALLOC_ARENA_MAX": "1"}
"""A dozen threads, most of them SQLite's, would fill an arena each; Python lets one run at a time."""
BASE = ("-P", "-m", "analytics_worker.preload.process")


def with_parent_death_signal(command: list[str], death_signal: signal.Signals) -> list[str]:
    """The command, wrapped so that it gets the signal when this process dies."""
    shim = [sys.executable, "-I", "-S", pdeathsig_exec.__file__]
    return [*shim, str(os.getpid()), str(int(death_signal)), "-", "-", *command]


@dataclass(frozen=True)
class Program:
    """What to start, and how.

    Attributes:
        command: A module with its arguments, or a program with its.
        environment: Its variables.
        directory: Where it starts.
        death_signal: What it gets when this process ends.
        with_input: Whether its standard input is a pipe; its errors then stay those of this process.
        makes_requests: Whether it may request processes of the base process.
    """

    command: Sequence[str]
    environment: Mapping[str, str]
    directory: Path
    death_signal: signal.Signals = signal.SIGTERM
    with_input: bool = False
    makes_requests: bool = False


async def start_program(program: Program) -> ProcessHandle:
    """Start a program."""
    return await asyncio.create_subprocess_exec(
        *program.command,
        stdin=PIPE if program.with_input else DEVNULL,
        stdout=PIPE,
        stderr=None if program.with_input else STDOUT,
        env=dict(program.environment),
        cwd=program.directory,
        start_new_session=True,  # Ctrl-C is the supervisor's
        limit=LINE_BYTES,
    )


async def start_python(program: Program) -> ProcessHandle:
    """Start a module in an interpreter of its own."""
    command = [sys.executable, "-m", *program.command]
    whole = with_parent_death_signal(command, program.death_signal)
    alone = Program(whole, program.environment, program.directory, with_input=program.with_input)
    return await start_program(alone)


class BaseProcess:
    """The process that the Python processes of the stack are forked from; there is a new one after it has ended."""

    def __init__(self, directory: Path, forked: ForkedBase | None = None) -> None:
        """Start nothing yet.

        Args:
            directory: Where it starts.
            forked: The first one, which waits.
        """
        self._directory = directory
        self._forked = forked
        self._process: ProcessHandle | None = None
        self._client: BaseProcessClient | None = None
        self._lock = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """Its process id, if there is one."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def start(self, program: Program) -> ProcessHandle:
        """Fork a module from it, or start the module without it."""
        try:
            return await self._fork(await self._ready_client(), program)
        except (OSError, EOFError):
            return await start_python(program)

    async def stop(self) -> None:
        """End it; the processes stay."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
        if self._client is not None:
            self._client.close()
            self._client = None

    async def _ready_client(self) -> BaseProcessClient:
        async with self._lock:
            if self._client is None or self.pid is None:
                await self.stop()
                self._client = await self._begin()
            return self._client

    async def _begin(self) -> BaseProcessClient:
        forked, self._forked = self._forked, None
        sock = await self._execute() if forked is None else self._continue(forked)
        client = BaseProcessClient(sock)
        if await client.receive() != READY:
            client.close()
            raise EOFError
        return client

    def _continue(self, forked: ForkedBase) -> socket.socket:
        self._process = ForkedProcess(forked.pid)
        forked.begin({**os.environ, **SINGLE_ARENA}, str(self._directory))
        return forked.sock

    async def _execute(self) -> socket.socket:
        ours, theirs = socket_pair()
        with theirs:
            command = [sys.executable, *BASE, str(theirs.fileno()), PADDING]
            self._process = await asyncio.create_subprocess_exec(
                *with_parent_death_signal(command, signal.SIGKILL),
                pass_fds=[theirs.fileno()],
                stdin=DEVNULL,
                stdout=DEVNULL,
                stderr=DEVNULL,  # what it reports is reported again by the process that starts without it
                env={**os.environ, **SINGLE_ARENA},
                cwd=self._directory,
                start_new_session=True,
            )
        return ours

    async def _fork(self, client: BaseProcessClient, program: Program) -> ForkedProcess:
        request = LaunchRequest(
            command=list(program.command),
            environment=dict(program.environment),
            directory=str(program.directory),
            parent=os.getpid(),
            death_signal=int(program.death_signal),
            channel=program.makes_requests,
        )
        streams = _Streams(with_input=program.with_input)
        try:
            process = await client.launch(request, streams.theirs)
        except BaseException:
            streams.close_ours()
            raise
        finally:
            streams.close_theirs()
        await streams.attach(process)
        return process


class _Streams:
    """The pipes between this process and a forked one."""

    def __init__(self, *, with_input: bool) -> None:
        self._read, out = os.pipe()
        self._write: int | None = None
        if with_input:
            standard_input, self._write = os.pipe()
            errors = os.dup(2)
        else:
            standard_input, errors = os.open(os.devnull, os.O_RDONLY), os.dup(out)
        self.theirs = [standard_input, out, errors]

    def close_theirs(self) -> None:
        for fd in self.theirs:
            os.close(fd)

    def close_ours(self) -> None:
        os.close(self._read)
        if self._write is not None:
            os.close(self._write)

    async def attach(self, process: ForkedProcess) -> None:
        loop = asyncio.get_running_loop()
        process.stdout = asyncio.StreamReader(limit=LINE_BYTES)
        reading = asyncio.StreamReaderProtocol(process.stdout)
        await loop.connect_read_pipe(lambda: reading, os.fdopen(self._read, "rb", 0))
        if self._write is not None:
            pipe = os.fdopen(self._write, "wb", 0)
            transport, protocol = await loop.connect_write_pipe(
                asyncio.streams.FlowControlMixin, pipe
            )
            process.stdin = asyncio.StreamWriter(transport, protocol, None, loop)
