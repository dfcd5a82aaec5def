"""Run a Python program in a warm process: a fork of this process that has its imports already.

A warm process is forked while that is safe and waits for a program. The program skips the imports that
this process had made by then; for dbt these take two to three CPU seconds. Without a warm process, a
program is started as usual. Writes nothing; an unused warm process ends with its parent.
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

from analytics_worker.log_format import restore_streams

CHUNK = 1 << 16
STREAMS = 3
REPLY_TIMEOUT_SECONDS = 60


class Process(Protocol):
    """The interface that `subprocess.Popen` and a warm process share."""

    @property
    def pid(self) -> int:
        """Return the process id; the process leads its own session and process group."""
        ...

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        ...

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its exit status.

        Raises:
            subprocess.TimeoutExpired: it still runs after so many seconds.
        """
        ...


class WarmProcess:
    """A forked process that waits for a program."""

    def __init__(self, pid: int, sock: socket.socket) -> None:
        self.pid = pid
        self._sock = sock
        self._status: int | None = None

    def run(self, request: Mapping[str, Any], streams: Sequence[int]) -> None:
        """Send it a program to run; it has read the whole request when this returns.

        Raises:
            OSError: it ended, or did not reply, before it started the program.
        """
        with self._sock:
            self._sock.settimeout(REPLY_TIMEOUT_SECONDS)
            socket.send_fds(self._sock, [b"!"], streams)
            self._sock.sendall(json.dumps(request).encode())
            self._sock.shutdown(socket.SHUT_WR)
            if not self._sock.recv(1):
                raise ConnectionError("the warm process ended before it started the program")

    def kill(self) -> None:
        """Kill it if it is still running, and wait for it to end."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()

    def poll(self) -> int | None:
        """Return the exit status, negative for a signal; None while it runs."""
        return self._reap(os.WNOHANG)

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the process to end and return its exit status."""
        if timeout is not None and not self._has_ended(timeout):
            raise subprocess.TimeoutExpired("warm process", timeout)
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


_warm_processes: list[WarmProcess] = []


def fork_warm_process() -> None:
    """Fork a warm process. Call it only in a process that has never started a thread."""
    parent_socket, child_socket = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        parent_socket.close()
        _run_child(child_socket)
    child_socket.close()
    _warm_processes.append(WarmProcess(pid, parent_socket))


def start_program(
    program: Path,
    arguments: Sequence[str],
    *,
    directory: Path,
    environment: Mapping[str, str],
    streams: Sequence[int],
) -> Process:
    """Run a Python program in its own process and session, in a warm process if there is one.

    Args:
        program: File that contains the program.
        arguments: Its ``sys.argv[1:]``.
        directory: Its working directory.
        environment: Its complete environment.
        streams: Descriptors of its standard input, output and error.
    """
    argv = [str(program), *arguments]
    request = {"argv": argv, "directory": str(directory), "environment": dict(environment)}
    while _warm_processes:
        warm = _warm_processes.pop()
        try:
            warm.run(request, streams)
        except OSError:
            warm.kill()  # it was killed: start the program as usual
        else:
            return warm
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


def _run_child(sock: socket.socket) -> NoReturn:
    """Wait for a program, run it, and exit without tearing down the shared heap."""
    code = 1
    try:
        os.setsid()
        request = _receive(sock)
        code = 0 if request is None else _run(request)
    except BaseException:  # noqa: BLE001  # the last resort of an interpreter
        traceback.print_exc()
    finally:
        os._exit(code)


def _receive(sock: socket.socket) -> dict[str, Any] | None:
    """Return the request and adopt its streams; None if the parent has ended."""
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
    os.environ.clear()  # noqa: TID251  # this process becomes the program
    os.environ.update(request["environment"])  # noqa: TID251
    os.chdir(request["directory"])
    restore_streams()
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
    """Return the exit status of the interpreter; print an exit message to standard error, as it does."""
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code & 0xFF
    print(error.code, file=sys.stderr)  # noqa: T201
    return 1
