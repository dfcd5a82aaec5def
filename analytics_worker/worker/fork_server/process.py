"""The fork server: a process that has imported everything and forks one child per request.

Started by the worker as ``python -P -m analytics_worker.worker.fork_server.process FD MODULE,MODULE…``; FD is a socket to the
worker. It never opens an event loop or a connection and never starts a thread, which is what makes
fork() safe here. It refuses to serve if a preloaded module started one. Ends with its worker; its
children go on and finish their runs. Writes nothing.
"""

import gc
import importlib
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from analytics_worker.log_format import use_log_format
from analytics_worker.prefect_support.api_tls import share_api_ssl_context
from analytics_worker.prefect_support.heartbeat_timeout import FIRST_HEARTBEAT_SECONDS
from analytics_worker.prefect_support.result_libraries import restrict_result_libraries
from analytics_worker.preload.libraries import PREFECT_MODULES
from analytics_worker.worker import prefect_internals
from analytics_worker.worker.fork_server import flow_run_process
from analytics_worker.worker.fork_server import prefect_internals as engine_requests
from analytics_worker.worker.fork_server.protocol import ForkReply, ForkRequest, encode, receive


class ThreadStartedError(Exception):
    """A preloaded module started a thread: a fork could inherit a lock that no thread releases."""


def preload(modules: Sequence[str]) -> None:
    """Import what children need, and use none of it.

    Raises:
        ThreadStartedError: an import started a thread.
    """
    for name in PREFECT_MODULES:
        importlib.import_module(name)
    for name in modules:
        _import_if_possible(name)
    restrict_result_libraries()
    prefect_internals.adjust_heartbeats(FIRST_HEARTBEAT_SECONDS)
    prefect_internals.delay_suspension_observer()
    engine_requests.prepare_first_uses()
    engine_requests.retry_first_requests()
    share_api_ssl_context()
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise ThreadStartedError(f"one of these modules started a thread: {', '.join(modules)}")
    gc.collect()
    gc.freeze()  # collections in the children must not touch, and so copy, the shared pages


def _import_if_possible(name: str) -> None:
    module, _, function = name.partition(":")
    try:
        imported = importlib.import_module(module)
        if function:
            getattr(imported, function)()
    except Exception as error:  # noqa: BLE001  # the runs that need it will fail with this error, the others continue
        print(f"fork server: cannot preload {name}: {error!r}", file=sys.stderr)  # noqa: T201  # before any logging


class ForkServer:
    """Fork on request and report how children end."""

    def __init__(self, sock: socket.socket) -> None:
        """Prepare to serve the worker at the other end of the socket."""
        self._sock = sock
        self._environment = dict(os.environ)  # noqa: TID251  # to compare with a child's
        self._running: dict[int, str] = {}
        self._wake_read, self._wake_write = os.pipe()

    def serve(self) -> None:
        """Fork until the worker requests no more."""
        for fd in (self._wake_read, self._wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # they are the worker's; we end with it
        self._sock.sendall(encode(ForkReply(id="", pid=os.getpid())))
        while True:
            readable, _, _ = select.select([self._sock, self._wake_read], [], [])
            if self._wake_read in readable:
                os.read(self._wake_read, 4096)
                self._reap()
            if self._sock in readable:
                try:
                    request = receive(self._sock)
                except EOFError:
                    return self._retire()
                self._fork(request)

    def _retire(self) -> None:
        """Fork no more, but report how the children end, as long as the worker lives."""
        ended = select.poll()
        ended.register(self._sock, 0)  # only the end of the worker counts, not that of its requests
        ended.register(self._wake_read, select.POLLIN)
        while self._running and self._sock.fileno() not in dict(ended.poll()):
            os.read(self._wake_read, 4096)
            self._reap()

    def _reap(self) -> None:
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            reply = ForkReply(id=self._running.pop(pid), exit=os.waitstatus_to_exitcode(status))
            self._sock.sendall(encode(reply))

    def _fork(self, request: ForkRequest) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._sock.sendall(encode(ForkReply(id=request["id"], error=str(error))))
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            for fd in (self._sock.detach(), self._wake_read, self._wake_write):
                os.close(fd)
            flow_run_process.run_child(request, self._environment)
        self._running[pid] = request["id"]
        self._sock.sendall(encode(ForkReply(id=request["id"], pid=pid)))


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Let a signal wake the loop, no more."""


def main() -> None:
    """Import, then serve until the worker ends."""
    sock = socket.socket(fileno=int(sys.argv[1]))
    sock.set_inheritable(False)
    use_log_format("fork server")
    preload([name for name in sys.argv[2].split(",") if name])
    use_log_format("fork server")  # also for the loggers that Prefect has configured meanwhile
    try:
        ForkServer(sock).serve()
    except ConnectionError:
        return


if __name__ == "__main__":
    main()
