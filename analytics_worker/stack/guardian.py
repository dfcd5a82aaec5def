"""Wait for the supervisor to end, then end every process that it leaves: ``python -I -S guardian.py PID [WORD ...]``.

A program of its own that imports a few modules of the standard library: it lasts as long as the stack, and the program
that started the stack takes 20 MB. PID is the supervisor, a child of this process; the words are for people who read ps. Ends of the terminal
are passed on to the supervisor. Reads /proc; signals processes; exits as the supervisor did.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from types import FrameType

FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
GRACE_SECONDS = 2.0
PARENT = 1  # index after the command's name, see proc(5)


def guard(supervisor: int) -> int:
    """Return the exit code of the supervisor, after everything of it has ended."""
    for name in FORWARDED:
        signal.signal(name, _forward_to(supervisor))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    code = _wait_for(supervisor)
    _end_all(signal.SIGTERM)
    _end_all(signal.SIGKILL)
    return code


def _wait_for(supervisor: int) -> int:
    """Reap all descendants that end, until the supervisor ends."""
    while True:
        pid, status = os.wait()
        if pid == supervisor:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _end_all(number: signal.Signals) -> None:
    """Signal each descendant once, and wait for their end."""
    deadline, signaled = time.monotonic() + GRACE_SECONDS, set[int]()
    while (left := _descendants()) and time.monotonic() < deadline:
        for pid in left - signaled:
            _signal(pid, number)
        signaled |= left
        time.sleep(0.02)
        _reap()


def _descendants() -> set[int]:
    """Return the children of this process, theirs, and so on."""
    parents = {int(name): _parent(name) for name in os.listdir("/proc") if name.isdecimal()}  # noqa: PTH208  # as below
    found, new = set[int](), {os.getpid()}
    while new := {pid for pid, parent in parents.items() if parent in new}:
        found |= new
    return found


def _parent(pid: str) -> int | None:
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:  # noqa: PTH123  # pathlib takes memory
            return int(file.read().rpartition(")")[2].split()[PARENT])
    except OSError:  # it has ended
        return None


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:  # there is none left
        return


def _signal(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:  # it has just ended
        return


def _forward_to(supervisor: int) -> Callable[[int, FrameType | None], None]:
    def forward(number: int, _frame: FrameType | None) -> None:
        _signal(supervisor, number)

    return forward


if __name__ == "__main__":
    sys.exit(guard(int(sys.argv[1])))
