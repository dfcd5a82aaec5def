"""Start a fork server: from the stack's base process where there is one, else as a program. Writes nothing."""

import asyncio
import functools
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from prefect.logging import get_logger

from analytics_worker.preload.client import BaseProcessClient, ForkedProcess, ProcessHandle
from analytics_worker.preload.request import CHANNEL, PASSED_FD, LaunchRequest

MODULE = "analytics_worker.worker.fork_server.process"

logger = get_logger(MODULE)


async def start_process(
    sock: socket.socket, preload: str, environment: Mapping[str, str]
) -> ProcessHandle:
    """Start a fork server that serves this socket and imports these modules."""
    client = _base_process()
    if client is not None:
        try:
            return await _fork(client, sock, preload, environment)
        except (OSError, EOFError) as error:
            logger.info(
                "the base process has ended, so the fork server is started without it (%r)", error
            )
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", MODULE, str(sock.fileno()), preload),
        pass_fds=[sock.fileno()],
        stdin=asyncio.subprocess.DEVNULL,
        env=environment,
    )


async def _fork(
    client: BaseProcessClient, sock: socket.socket, preload: str, environment: Mapping[str, str]
) -> ForkedProcess:
    request = LaunchRequest(
        command=[MODULE, PASSED_FD, preload],
        environment=dict(environment),
        directory=str(Path.cwd()),
        parent=None,
        death_signal=0,
        channel=False,
    )
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        return await client.launch(request, [null, 1, 2, sock.fileno()])
    finally:
        os.close(null)


@functools.lru_cache(maxsize=1)
def _base_process() -> BaseProcessClient | None:
    """Return the connection that the stack has given to this process; its children must not know of it."""
    fd = os.environ.pop(CHANNEL, None)  # noqa: TID251  # not a setting
    return BaseProcessClient(socket.socket(fileno=int(fd))) if fd else None


def take_base_process() -> None:
    """Take the connection out of the environment, before that is copied for children."""
    _base_process()
