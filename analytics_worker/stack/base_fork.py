"""Fork the base process from the supervisor, whose modules it then shares.

It waits for the variables, which the supervisor knows later, and imports nothing before. Starts a process; writes nothing.
"""

import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NamedTuple

from analytics_worker.preload.request import LARGEST_BYTES, socket_pair

PR_SET_PDEATHSIG = 1
M_ARENA_MAX = -8
STANDARD_STREAMS = (0, 1, 2)


class ForkedBase(NamedTuple):
    """A base process that waits for its variables."""

    pid: int
    sock: socket.socket

    def begin(self, environment: Mapping[str, str], directory: str) -> None:
        """Let it import and serve.

        Raises:
            OSError: it has ended.
        """
        message = {"environment": dict(environment), "directory": directory}
        self.sock.sendall(json.dumps(message).encode())


def fork_base_process() -> ForkedBase | None:
    """Fork it; None if this host can't. Call before the first thread, and before settings are read.

    It returns here only in the supervisor: the base process, and what is forked from it, exit in this call.
    """
    ours, theirs = socket_pair()
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError:
        ours.close()
        theirs.close()
        return None
    if pid:
        theirs.close()
        return ForkedBase(pid, ours)
    ours.close()
    _separate_from(parent)
    _serve(theirs)
    sys.exit()


def _separate_from(parent: int) -> None:
    libc: Any = ctypes.CDLL(None)
    with suppress(AttributeError):  # another C library
        libc.mallopt(M_ARENA_MAX, 1)  # as SINGLE_ARENA in analytics_worker/stack/programs.py
    libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    os.setsid()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    null = os.open(os.devnull, os.O_RDWR)
    for standard in STANDARD_STREAMS:
        os.dup2(null, standard)
    os.close(null)


def _serve(sock: socket.socket) -> None:
    data = sock.recv(LARGEST_BYTES)
    if not data:  # the supervisor had nothing to start
        return
    message = json.loads(data)
    os.environ.clear()  # it becomes what a program started with these would be
    os.environ.update(message["environment"])
    os.chdir(message["directory"])
    from analytics_worker.preload import process  # noqa: PLC0415  # reads variables

    process.serve(sock)
