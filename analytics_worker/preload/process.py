"""The base process: it has imported the libraries that the stack's processes have in common, and forks them.

Forked from the supervisor at its start (analytics_worker/stack/base_fork.py). One that has ended is replaced by a program,
``python -P -m analytics_worker.preload.process FD PADDING``; FD is a socket to the supervisor. What was imported is in memory once for all of them, and no process waits for it again. It opens no
event loop and no connection and never starts a thread. It has this project's own code, too, which a process imports
for itself if it was edited since (analytics_worker/preload/own_code.py). Ends with the supervisor; the processes stay. Writes nothing.
"""

import ctypes
import importlib
import os
import random
import runpy
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from analytics_worker.preload.command_line import show_command
from analytics_worker.preload.libraries import LIBRARIES, MODELS, PREFECT_MODULES
from analytics_worker.preload.own_code import OwnCode, freeze
from analytics_worker.preload.request import (
    CHANNEL,
    PASSED_FD,
    READY,
    LaunchRequest,
    encode_reply,
    environment_of_process,
    prefect_variables,
    receive_request,
    socket_pair,
)

PR_SET_PDEATHSIG = 1
ADOPTION_SECONDS = 10.0
IDLE_SECONDS = 0.05
"""Requests that follow each other sooner are those of a start: none waits for the imports of others."""
DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD)


class Launch:
    """A process that was requested, seen from inside of it."""

    def __init__(
        self,
        request: LaunchRequest,
        fds: Sequence[int],
        channel: socket.socket | None,
        code: OwnCode,
    ) -> None:
        """Take over the descriptors."""
        self._request, self._fds, self._channel, self._code = request, fds, channel, code

    def run(self) -> None:
        """Become what was requested."""
        os.setsid()
        self._tie_to_parent()
        self._take_streams()
        self._adopt_environment()
        module, *arguments = self._arguments()
        show_command([sys.executable, "-m", module, *arguments])
        sys.argv = [module, *arguments]
        # The supervisor may have imported it: runpy would warn in its output.
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)

    def _tie_to_parent(self) -> None:
        for number in DEFAULT_SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        parent = self._request["parent"]
        if parent is None:
            return
        deadline = time.monotonic() + ADOPTION_SECONDS
        while os.getppid() != parent:
            if time.monotonic() > deadline:
                sys.exit("The parent process has ended.")
            time.sleep(0.001)  # noqa: TID251  # until the process between has ended
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, self._request["death_signal"], 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("The parent process has ended.")

    def _take_streams(self) -> None:
        for standard, fd in enumerate(self._fds[:3]):
            os.dup2(fd, standard)
            os.close(fd)

    def _arguments(self) -> list[str]:
        passed = str(self._fds[3]) if len(self._fds) > 3 else ""  # noqa: PLR2004  # after the standard streams
        return [passed if word == PASSED_FD else word for word in self._request["command"]]

    def _adopt_environment(self) -> None:
        before, after = environment_of_process(), self._request["environment"]
        os.environ.clear()  # noqa: TID251  # this process becomes another one
        os.environ.update(after)  # noqa: TID251
        if self._channel is not None:
            os.environ[CHANNEL] = str(self._channel.detach())  # noqa: TID251
        os.chdir(self._request["directory"])
        random.seed()
        if before.get("TZ") != after.get("TZ"):
            time.tzset()
        if prefect_variables(before) != prefect_variables(after):
            _read_prefect_settings()
        self._code.forget_if_changed(before, after)


def _read_prefect_settings() -> None:
    from prefect.context import refresh_global_settings_context  # noqa: PLC0415  # imported already
    from prefect.logging.configuration import setup_logging  # noqa: PLC0415

    refresh_global_settings_context()
    setup_logging()


class BaseProcess:
    """Fork on request."""

    def __init__(self, sock: socket.socket, code: OwnCode) -> None:
        """Serve the supervisor at the other end of the socket."""
        self._sock, self._code = sock, code
        self._channels: list[socket.socket] = []

    def serve(self) -> Launch | None:
        """Return the launch, in each new process; None in this one, when the supervisor has ended."""
        self._sock.sendall(READY)
        while True:
            for sock in self._readable():
                try:
                    request, fds = receive_request(sock)
                except (EOFError, ConnectionError):
                    if sock is self._sock:
                        return None
                    self._channels.remove(sock)
                    sock.close()
                    continue
                launch = self._launch(sock, request, fds)
                if launch is not None:
                    return launch
            self._import_when_idle()

    def _import_when_idle(self) -> None:
        """Import the code of the other processes; what starts first, the server, does not wait for it."""
        if not self._code.is_complete and not self._readable(IDLE_SECONDS):
            self._code.import_rest()
            build_models()
            freeze()

    def _readable(self, seconds: float | None = None) -> list[socket.socket]:
        return select.select([self._sock, *self._channels], [], [], seconds)[0]

    def _launch(
        self, sock: socket.socket, request: LaunchRequest, fds: Sequence[int]
    ) -> Launch | None:
        ours, theirs = socket_pair() if request["channel"] else (None, None)
        read, write = os.pipe()
        try:
            between = os.fork()
        except OSError as error:
            if ours is not None:
                ours.close()
            self._finish(sock, encode_reply({"error": str(error)}), [*fds, read, write], theirs)
            return None
        if between == 0:
            return self._in_between(request, fds, write, (ours, theirs))
        os.close(write)
        os.waitpid(between, 0)
        pid = int(os.read(read, 20) or b"0")
        if ours is not None:
            self._channels.append(ours)
        reply = encode_reply({"pid": pid} if pid else {"error": "this host can't fork"})
        self._finish(sock, reply, [*fds, read], theirs)
        return None

    def _in_between(
        self,
        request: LaunchRequest,
        fds: Sequence[int],
        write: int,
        pair: tuple[socket.socket | None, socket.socket | None],
    ) -> Launch:
        """Fork once more and end, so that the process is adopted by the one that asked for it."""
        try:
            pid = os.fork()
        except OSError:
            os._exit(1)
        if pid:
            os.write(write, str(pid).encode())
            os._exit(0)
        os.close(write)
        for sock in (self._sock, *self._channels, *pair[:1]):
            if sock is not None:
                sock.close()
        return Launch(request, fds, pair[1], self._code)

    @staticmethod
    def _finish(
        sock: socket.socket, reply: bytes, fds: Sequence[int], theirs: socket.socket | None
    ) -> None:
        for fd in fds:
            os.close(fd)
        if theirs is not None:
            theirs.close()
        try:
            sock.sendall(reply)
        except ConnectionError:
            return  # its end is read next


def preload() -> OwnCode:
    """Import the libraries, and the first of this project's own code."""
    code = OwnCode(Path.cwd())
    for name in (*PREFECT_MODULES, *LIBRARIES):
        importlib.import_module(name)
    code.import_early()
    freeze()
    return code


def build_models() -> None:
    """Build the validators that several processes need: each would take memory and time for them."""
    for name in MODELS:
        resolve_name(name).model_rebuild()


def serve(sock: socket.socket) -> None:
    """Import, then fork until the supervisor ends."""
    show_command([sys.executable, "-m", "analytics_worker.preload.process"])
    launch = BaseProcess(sock, preload()).serve()
    if launch is not None:
        launch.run()


if __name__ == "__main__":
    inherited = socket.socket(fileno=int(sys.argv[1]))
    inherited.set_inheritable(False)
    serve(inherited)
