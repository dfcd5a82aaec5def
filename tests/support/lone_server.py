"""`analytics-worker server` as a process, and the address at which other hosts would reach it."""

from pathlib import Path
from typing import Self

import httpx
import psutil

from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.wait_until import wait_until

EVERYWHERE = "0.0.0.0"  # noqa: S104  # what is tested
PROGRAM = """
import os
os.environ.pop("PREFECT_HOME", None)  # of the tests: the server's is in its state folder
from analytics_worker.cli import main
main()
"""
COMMAND = ["-c", PROGRAM, "server"]


def own_address() -> str:
    """Return an address of this machine other than loopback, if it has one."""
    found = [str(each.address) for card in psutil.net_if_addrs().values() for each in card]
    outer = [each for each in found if each.count(".") == 3 and not each.startswith("127.")]
    return outer[0] if outer else "127.0.0.1"


class LoneServer(Process):
    """The server, with data in a folder of its own."""

    def __init__(self, folder: Path, *options: str, **variables: str) -> None:
        """Choose port and folder."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self.state_dir = folder / "state"
        own = {"STATE_DIR": str(self.state_dir), "SERVER_LOGIN": "auto"}
        log = folder / "log"
        super().__init__([*COMMAND, "--port", str(self.port), *options], own | variables, log)

    def api_url(self, host: str = "127.0.0.1") -> str:
        """What clients set as PREFECT_API_URL."""
        return f"http://{host}:{self.port}/api"

    @property
    def login(self) -> str:
        """What the server requires."""
        return (self.state_dir / "login").read_text().strip()

    def __enter__(self) -> Self:
        """Start it and wait until it answers."""
        super().__enter__()
        wait_until(self._answers, timeout=200, interval=0.1)
        return self

    def _answers(self) -> bool:
        assert self.ended() is None, self.output()
        try:
            return httpx.get(f"{self.api_url()}/health", timeout=2).is_success
        except httpx.TransportError:
            return False
