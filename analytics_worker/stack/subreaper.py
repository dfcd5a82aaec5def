"""Run the supervisor under a guardian, which ends all processes that the supervisor leaves.

The supervisor is a program, too, and its child. When it has ended, even by ``kill -9``, every process that descends from it is ended
(analytics_worker/stack/guardian.py). When the guardian itself is killed, the kernel signals the supervisor to stop.
Must run before threads exist.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from analytics_worker.stack import guardian

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def run_under_subreaper(supervisor: Sequence[str], variables: Mapping[str, str]) -> NoReturn:
    """Start the supervisor's program in a child, and become its guardian, which exits with its code.

    Args:
        supervisor: Its command.
        variables: What it has in its environment besides, and with it all that is forked from it.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Until they are passed on, and until the supervisor can end in order.
    signal.pthread_sigmask(signal.SIG_BLOCK, guardian.FORWARDED)
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # the terminal signals the guardian only, which passes it on once
        prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        _become(supervisor, {**os.environ, **variables})
    program = (sys.executable, "-I", "-S", guardian.__file__, str(child))
    _become([*program, *sys.argv], os.environ)


def _become(program: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    os.execve(program[0], list(program), dict(environment))  # noqa: S606  # no shell, as wanted
