"""Messages between worker and fork server: JSON objects, each preceded by its length.

Pure framing; safe to use from any process.
"""

import asyncio
import json
import socket
import struct
from typing import Any, NotRequired, TypedDict

from analytics_worker.worker.server_facts import Facts

LENGTH = struct.Struct("!I")


class ForkRequest(TypedDict):
    """The request for a new child."""

    id: str
    kind: str
    """``run``, or the hooks to run: ``cancellation``, ``crashed``."""
    flow_run_id: str
    directory: str
    environment: dict[str, str]
    output: str | None
    """File that gets what the child prints: None for the worker's own output, "" for nowhere."""
    record: str | None
    """File in which the child notes its identity."""
    pull_step: bool
    """Whether to log what the deployment's pull step does."""
    unload: list[str]
    """Packages that the fork server has imported and the child must import for itself."""
    spare: bool
    """Whether the run gets a warm process that has imported what the fork server has."""
    any_function: bool
    """Whether a function that is no flow may be run as one."""
    flow_run: NotRequired[Any]
    facts: NotRequired[Facts]
    state: NotRequired[Any]


class ForkReply(TypedDict):
    """The answer of the fork server: one of the last three."""

    id: str
    pid: NotRequired[int]
    error: NotRequired[str]
    exit: NotRequired[int]


def encode(message: Any) -> bytes:
    """One frame."""
    data = json.dumps(message).encode()
    return LENGTH.pack(len(data)) + data


def receive(sock: socket.socket) -> Any:
    """Read one frame from a blocking socket.

    Raises:
        EOFError: the other side has closed the connection.
    """
    (size,) = LENGTH.unpack(_exactly(sock, LENGTH.size))
    return json.loads(_exactly(sock, size))


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        chunk = sock.recv(size - len(data))
        if not chunk:
            raise EOFError
        data += chunk
    return bytes(data)


async def receive_async(reader: asyncio.StreamReader) -> Any:
    """Read one frame from a stream.

    Raises:
        asyncio.IncompleteReadError: the other side has closed the connection; an EOFError.
    """
    (size,) = LENGTH.unpack(await reader.readexactly(LENGTH.size))
    return json.loads(await reader.readexactly(size))
