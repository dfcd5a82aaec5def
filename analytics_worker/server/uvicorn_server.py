"""The web server, which reports to people and systemd that it listens, and to systemd that its event loop runs.

Writes a line to the log.
"""

import sys
import time
from contextlib import suppress
from socket import socket

import uvicorn
from typing_extensions import override
from uvicorn.config import STARTUP_FAILURE

from analytics_worker import systemd
from analytics_worker.host_port import Authority, client_host
from analytics_worker.log_format import inform


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
            address = Authority(client_host(self.config.host), self.config.port)
            inform("server", f"Ready: http://{address}/api answers.")
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
