"""A spare process: a copy of this one, made while that is safe, that waits to run a Python program.

The program finds imported what this process had imported when the spare was made; for dbt that is two
to three CPU seconds. Without a spare, a program is started as usual. Writes nothing; a spare that is
never needed ends with its parent.
"""

import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, Protocol

CHUNK = 1 << 16
STREAMS = 3
ANSWER_SECONDS = 60


class Process(Protocol):
    """What `subprocess.Popen` and a spare have in common."""

    @property
    def pid(self) -> int:
        """Process id; the process leads a session and a process group of its own."""
        ...

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        ...


class Spare:
    """A process that waits to be told what to run."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        """Take hold of a child that `prepare` forked."""
        self.pid = pid
        self._sock = sock
        self._status: int | None = None

    def run(self, request: Mapping[str, Any], streams: Sequence[int]) -> None:
        """Have it run a program; it has the whole request when this returns.

        Raises:
            OSError: it died, or did not answer, before it began.
        """
        with self._sock:
            self._sock.settimeout(ANSWER_SECONDS)
            socket.send_fds(self._sock, [b"!"], streams)
            self._sock.sendall(json.dumps(request).encode())
            self._sock.shutdown(socket.SHUT_WR)
            if not self._sock.recv(1):
                raise ConnectionError("the spare process ended before it began")

    def end(self) -> None:
        """Kill it, if it still lives, and wait for its end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._reap(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, once there is one."""
        if timeout is not None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired("spare process", timeout)
        status = self._reap(0)
        assert status is not None  # noqa: S101  # a blocking wait returns at the end only
        return status

    def _has_ended(self, timeout: float) -> bool:
        if self._status is not None:
            return True
        descriptor = os.pidfd_open(self.pid)
        try:
            return bool(select.select([descriptor], [], [], timeout)[0])
        finally:
            os.close(descriptor)

    def _reap(self, options: int) -> int | None:
        if self._status is None:
            pid, status = os.waitpid(self.pid, options)
            self._status = os.waitstatus_to_exitcode(status) if pid else None
        return self._status


_spares: list[Spare] = []


def prepare() -> None:
    """Fork a spare. Only for a process that has never started a thread."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        ours.close()
        _live(theirs)
    theirs.close()
    _spares.append(Spare(pid, ours))


def start(
    program: Path,
    arguments: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> Process:
    """Run a Python program in a process and a session of its own, in the spare if there is one.

    Args:
        program: File with the program.
        arguments: Its ``sys.argv[1:]``.
        directory: Where it runs.
        environment: All of its variables.
        streams: Descriptors that become its standard input, output and error.
    """
    argv = [str(program), *arguments]
    request = {"argv": argv, "directory": str(directory), "environment": dict(environment)}
    while _spares:
        spare = _spares.pop()
        try:
            spare.run(request, streams)
        except OSError:
            spare.end()  # somebody killed it: start the program as usual
        else:
            return spare
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        [sys.executable, "-P", *argv],
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=directory,
        env=dict(environment),
        start_new_session=True,
    )


def _live(sock: socket.socket) -> NoReturn:
    """The whole life of a spare: wait, run, leave without tearing down the heap it shares."""
    code = 1
    try:
        os.setsid()
        request = _receive(sock)
        code = 0 if request is None else _run(request)
    except BaseException:  # noqa: BLE001  # the interpreter's own last resort
        traceback.print_exc()
    finally:
        os._exit(code)


def _receive(sock: socket.socket) -> dict[str, Any] | None:
    """Take over the streams that come with the request; None if the parent has ended."""
    message, streams, _, _ = socket.recv_fds(sock, 1, STREAMS)
    if not message:
        return None
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
        os.close(stream)
    parts = iter(lambda: sock.recv(CHUNK), b"")
    request = json.loads(b"".join(parts))
    sock.sendall(b"!")
    sock.close()
    return request


def _run(request: Mapping[str, Any]) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    os.environ.clear()  # noqa: TID251  # this process becomes another one
    os.environ.update(request["environment"])  # noqa: TID251
    os.chdir(request["directory"])
    sys.argv = list(request["argv"])
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as error:
        return exit_status(error)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def exit_status(error: SystemExit) -> int:
    """What the interpreter would exit with; an exit message goes to standard error, as there."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201
    return 1
