"""Run the supervisor under a guardian, which ends all processes that the supervisor leaves.

The supervisor runs as its child. When it has ended, even by ``kill -9``, every process that descends from it is ended
(analytics_worker/stack/guardian.py). When the guardian itself is killed, the kernel signals the supervisor to stop.
Must run before threads exist.
"""

import ctypes
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from analytics_worker.stack import guardian

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


def run_under_subreaper(supervise: Callable[[], int]) -> NoReturn:
    """Run `supervise` in a child, and become its guardian, which exits with its code."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = signal.pthread_sigmask(
        signal.SIG_BLOCK, guardian.FORWARDED
    )  # until they are passed on
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # the terminal signals the guardian only, which passes it on once
        prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os._exit(_supervised(supervise))
    program = (sys.executable, "-I", "-S", guardian.__file__, str(child))
    os.execv(sys.executable, [*program, *sys.argv])  # noqa: S606  # no shell, as wanted


def _supervised(supervise: Callable[[], int]) -> int:
    """The supervisor's exit code; its errors end here, in the child, and not in our callers."""
    try:
        return supervise()
    except SystemExit as ended:  # its error was reported
        return ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001  # the guardian cleans up after every error
        traceback.print_exc()
        return 1
