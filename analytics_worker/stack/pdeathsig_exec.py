"""Become another program, one that ends when its parent does.

Usage: ``python -I -S exec_child.py PARENT_PID SIGNAL UID:GID|- PROGRAM [ARGUMENT ...]``. The kernel
sends SIGNAL to the program when the process that started it dies, even by ``kill -9``. A program of
its own instead of a ``preexec_fn``, because the stack has threads when it starts children; it
changes user itself, because the kernel forgets the signal when a process does that.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the user, ask for the signal, make sure the parent still lives, and exec."""
    parent, death_signal, account, *command = sys.argv[1:]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if account != "-":
        set_user(*(int(number) for number in account.split(":")))
    prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("The parent process is gone.")
    # A parent that was started in the background passes on "ignored".
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def set_user(user: int, group: int) -> None:
    """Give up root for good."""
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


if __name__ == "__main__":
    main()
