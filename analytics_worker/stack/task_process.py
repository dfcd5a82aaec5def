"""A process that calls functions for the supervisor, which stays small: it imports neither Prefect nor the flows.

Writes what the functions write. It ends with the supervisor, and with `stop`.
"""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from analytics_worker.errors import PermanentError
from analytics_worker.preload.client import ProcessHandle
from analytics_worker.settings import project_root
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.programs import Program, start_python
from analytics_worker.stack.task_server import DEBUG

ERRORS = {"StackError": StackError, "PermanentError": PermanentError}

Progress = Callable[[str], None]
Start = Callable[[Program], Awaitable[ProcessHandle]]

ErrorText = Callable[[BaseException], str]


def name_of(function: Callable[..., Any]) -> str:
    """Return the name by which another process finds a function."""
    return f"{function.__module__}:{function.__qualname__}"


def _ignore(_text: str) -> None:
    pass


class TaskProcess:
    """Calls functions one after another in a process of its own, which is started by the first call."""

    def __init__(
        self, *modules: str, describe: ErrorText, debug: bool = False, start: Start = start_python
    ) -> None:
        """Name what it imports before the first call.

        Args:
            modules: Their names.
            describe: What the error of a function says to people.
            debug: Whether unexpected errors show where they come from.
            start: Starts the process.
        """
        self._arguments = [name_of(describe), *modules, *([DEBUG] if debug else [])]
        self._start = start
        self._process: ProcessHandle | None = None
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Begin to import; the calls find it done."""
        command = ["analytics_worker.stack.task_server", *self._arguments]
        program = Program(
            command, dict(os.environ), project_root(), signal.SIGKILL, with_input=True
        )
        self._process = await self._start(program)

    async def call(self, function: str, progress: Progress = _ignore, **arguments: Any) -> Any:
        """Return what ``module:function`` returns for these arguments, which are JSON.

        Raises:
            PermanentError: the function raised one.
            StackError: so did it, or its process ended.
        """
        async with self._lock:
            if self._process is None:
                await self.start()
            return await self._call(function, progress, arguments)

    async def _call(self, function: str, progress: Progress, arguments: dict[str, Any]) -> Any:
        process = self._process
        assert process  # noqa: S101  # it was started
        assert process.stdin  # noqa: S101  # a pipe, like the next
        assert process.stdout  # noqa: S101
        request = {"function": function, "arguments": arguments}
        with contextlib.suppress(ConnectionError):
            process.stdin.write(json.dumps(request).encode() + b"\n")
            await process.stdin.drain()
        while line := await process.stdout.readline():
            reply = json.loads(line)
            if "progress" in reply:
                progress(reply["progress"])
            elif "error" in reply:
                raise ERRORS[reply["kind"]](reply["error"])
            else:
                return reply["result"]
        raise StackError(f"{function} ended with {await process.wait()} before it was done")

    async def stop(self) -> None:
        """End the process, and the call that it works on."""
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
