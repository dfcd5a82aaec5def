"""Start processes again when they end, as systemd does, and kill them."""

import os
import signal
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from tests.support.processes import Process, wait_for_exit

RESTART_SECONDS, LOOK_SECONDS = 1.0, 0.05


class Supervised:
    """Keep a process running until the block ends."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._supervise, daemon=True)

    def kill(self) -> None:
        """Kill it, and return when it is gone."""
        pid = self.process.pid
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_for_exit(pid)

    def _supervise(self) -> None:
        while not self._stopping.wait(LOOK_SECONDS):
            if self.process.ended() is not None and not self._stopping.wait(RESTART_SECONDS):
                Process.start(self.process)

    def __enter__(self) -> Self:
        """Start it; a server is waited for."""
        self.process.start()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._stopping.set()
        self._thread.join()
        self.process.end(signal.SIGTERM)
