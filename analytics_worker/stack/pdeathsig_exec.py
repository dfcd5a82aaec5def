"""Become another program, one that ends when its parent does.

Usage: ``python -I -S pdeathsig_exec.py PARENT_PID SIGNAL UID:GID|- BYTES|- PROGRAM [ARGUMENT ...]``.
BYTES bounds the address space of each of the program's processes. The kernel sends SIGNAL to the
program when the process that started it dies, even by ``kill -9``. A program of its own instead of a
``preexec_fn``, because the stack has threads when it starts children. It changes user itself, because
the kernel forgets the signal when a process does that.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Become the user, ask for the signal, make sure the parent still lives, and exec."""
    parent, death_signal, account, memory, *command = sys.argv[1:]
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if account != "-":
        set_user(*(int(number) for number in account.split(":")))
    if memory != "-":
        limit_memory(int(memory))
    prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("The parent process has ended.")
    # A parent that was started in the background passes on "ignored".
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(name, signal.SIG_DFL)
    try:
        os.execvp(command[0], command)  # noqa: S606  # no shell is wanted
    except OSError as error:
        sys.exit(f"{command[0]}: {error.strerror}")


def limit_memory(wanted: int) -> None:
    """Limit the address space permanently; an existing lower limit stays."""
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def set_user(user: int, group: int) -> None:
    """Give up root permanently."""
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)


if __name__ == "__main__":
    main()
