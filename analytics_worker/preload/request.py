"""Requests to the base process: one message each, with the file descriptors that the new process takes over.

Pure framing. The sockets are of type SOCK_SEQPACKET, which keeps messages apart.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NotRequired, TypedDict

LARGEST_BYTES = 1 << 20
MOST_FDS = 4
READY = b"ready"
PASSED_FD = "{fd}"
"""Stands in the arguments for the descriptor that is passed on after those of the standard streams."""
CHANNEL = "ANALYTICS_WORKER_BASE_PROCESS_FD"
"""Names, in a process that may make requests itself, the descriptor of its socket to the base process."""


class LaunchRequest(TypedDict):
    """The request for a new process."""

    command: list[str]
    """A module, which is run as ``python -m`` does, and its arguments."""
    environment: dict[str, str]
    directory: str
    parent: int | None
    """Process that adopts it; None for no matter which."""
    death_signal: int
    """What the process gets when its parent ends; 0: nothing."""
    channel: bool
    """Whether it may make requests itself."""


class LaunchReply(TypedDict):
    """The answer: one of the two."""

    pid: NotRequired[int]
    error: NotRequired[str]


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a new connection."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_request(sock: socket.socket, request: LaunchRequest, fds: Sequence[int]) -> None:
    """Send a request.

    Raises:
        OSError: the other side has ended, or the request is too large.
    """
    socket.send_fds(sock, [json.dumps(request).encode()], fds)


def receive_request(sock: socket.socket) -> tuple[LaunchRequest, list[int]]:
    """Wait for a request.

    Raises:
        EOFError: the other side has closed the connection.
    """
    data, fds, _, _ = socket.recv_fds(sock, LARGEST_BYTES, MOST_FDS)
    if not data:
        raise EOFError
    return json.loads(data), fds


def encode_reply(reply: LaunchReply) -> bytes:
    """Return the message of a reply."""
    return json.dumps(reply).encode()


def decode_reply(data: bytes) -> LaunchReply:
    """Return the reply of a message.

    Raises:
        EOFError: the other side has closed the connection.
    """
    if not data:
        raise EOFError
    return json.loads(data)


def prefect_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that Prefect's settings are read from."""
    return {name: value for name, value in environment.items() if name.startswith("PREFECT_")}


def environment_of_process() -> dict[str, Any]:
    """Return this process's variables."""
    return dict(os.environ)  # noqa: TID251  # to compare with those of another process
