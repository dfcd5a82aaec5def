"""The web server, which reports to systemd that it listens and that its event loop runs. Writes nothing."""

import sys
import time
from contextlib import suppress
from socket import socket

import uvicorn
from typing_extensions import override
from uvicorn.config import STARTUP_FAILURE

from analytics_worker import systemd


class Server(uvicorn.Server):
    """Uvicorn's server with reports."""

    def __init__(self, config: uvicorn.Config) -> None:
        """Read how often to report."""
        super().__init__(config)
        self._report_seconds = systemd.report_seconds()
        self._next_report = 0.0

    @override
    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Report that requests are answered from now on."""
        await super().startup(sockets)
        if self.started:
            systemd.notify(systemd.READY)

    @override
    async def on_tick(self, counter: int) -> bool:
        """Report now and then that the event loop runs; called ten times a second."""
        if time.monotonic() >= self._next_report:
            self._next_report = time.monotonic() + self._report_seconds
            systemd.notify(systemd.ALIVE)
        return await super().on_tick(counter)


def serve(config: uvicorn.Config) -> None:
    """Serve until a signal ends it, as `uvicorn.run` does."""
    server = Server(config)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(STARTUP_FAILURE)
