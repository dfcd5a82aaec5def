"""The outer process of the stack: it ends all processes that the supervisor leaves.

The supervisor runs as its child. Ends of the terminal (Ctrl-C, SIGTERM, SIGHUP) are passed on to it.
When it has ended, even by ``kill -9``, every process that descends from it is ended. When the guardian
itself is killed, the kernel signals the supervisor to stop. Must run before threads exist.
"""

import ctypes
import os
import signal
import traceback
from collections.abc import Callable
from types import FrameType

import psutil

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 2.0


def run_under_subreaper(supervise: Callable[[], int]) -> int:
    """Run `supervise` in a child and clean up after it; its exit code."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    guardian = os.getpid()
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)  # the terminal signals the guardian only, which passes it on once
        prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != guardian:
            os._exit(1)
        os._exit(_supervised(supervise))
    for name in FORWARDED:
        signal.signal(name, _forward_to(child))
    code = _wait_for(child)
    terminate_descendants()
    return code


def _supervised(supervise: Callable[[], int]) -> int:
    """The supervisor's exit code; its errors end here, in the child, and not in our callers."""
    try:
        return supervise()
    except SystemExit as ended:  # its error was reported
        return ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001  # the guardian cleans up after every error
        traceback.print_exc()
        return 1


def terminate_descendants() -> None:
    """Ask all descendants to end, and kill those that do not."""
    left = psutil.Process().children(recursive=True)
    for process in left:
        _signal(process, signal.SIGTERM)
    _, alive = psutil.wait_procs(left, timeout=GRACE_SECONDS if left else 0)
    for process in [*alive, *psutil.Process().children(recursive=True)]:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(psutil.Process().children(recursive=True), timeout=GRACE_SECONDS)


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def _forward_to(child: int) -> Callable[[int, FrameType | None], None]:
    def forward(number: int, _frame: FrameType | None) -> None:
        os.kill(child, number)

    return forward


def _wait_for(child: int) -> int:
    """Reap all descendants that end, until the supervisor ends."""
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code
