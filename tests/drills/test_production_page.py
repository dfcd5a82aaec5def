"""docs/production.md, followed with two hosts: every command as printed, in the order of the page.

A host is a state folder and an environment of its own. Only what a reader would replace is replaced: addresses
and logins. TLS, PgBouncer and several servers have tests of their own.
"""

import os
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import httpx
import pytest

from analytics_worker.settings import project_root
from tests.support.lone_server import EVERYWHERE, LoneServer, own_address
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.snippets import commands
from tests.support.wait_until import wait_until

PAGE = "docs/production.md"
BIN = ".venv/bin/"
SERVER = f"{BIN}analytics-worker server --host {EVERYWHERE}"
WORKER = f"{BIN}analytics-worker worker"
EXPORTER = f"{BIN}analytics-worker exporter"
DOCTOR = f"{BIN}analytics-worker doctor"
pytestmark = pytest.mark.timeout(600)


class Hosts:
    """The host of the server and that of a worker."""

    def __init__(self, folder: Path, database_url: str) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._server: LoneServer | None = None
        self._variables = {
            "DATABASE_URL": database_url,
            "STATE_DIR": str(folder / "worker/state"),
            "PREFECT_HOME": str(folder / "worker/prefect"),
            "LOG_DIR": str(folder / "worker/logs"),
            "PROMETHEUS_PORT": str(free_port()),
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, command: str) -> None:
        """Do what the page says."""
        if command == SERVER:
            self._start_server()
        elif command.startswith(WORKER):
            process = self._start(command)
            wait_until(lambda: "serves analytics, dbt" in process.output(), timeout=120)
        elif command == EXPORTER:
            self._start(command)
            wait_until(self._has_metrics, timeout=60)
        else:
            self._finish(command)

    def _start_server(self) -> None:
        options = shlex.split(SERVER)[2:]
        server = LoneServer(self._folder / "server", *options)
        self._server = self._stack.enter_context(server)
        self._variables["PREFECT_API_URL"] = server.api_url(own_address())
        self._variables["PREFECT_API_AUTH_STRING"] = server.login

    def _has_metrics(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self._variables['PROMETHEUS_PORT']}/metrics"
            return "analytics_exporter_up" in httpx.get(url).text
        except httpx.TransportError:
            return False

    def _start(self, command: str) -> Process:
        words = shlex.split(command)[1:]
        code = "from analytics_worker.cli import main; main()"
        name = "-".join(["log", *words]).replace("/", "")
        log = self._folder / name
        process = Process(["-c", code, *words], self._variables, log)
        return self._stack.enter_context(process)

    def _finish(self, command: str) -> None:
        done = subprocess.run(
            shlex.split(command),
            env=os.environ | self._variables,
            cwd=project_root(),
            check=False,
            capture_output=True,
            text=True,
            timeout=200,
        )
        is_expected = done.returncode == 0 or command == DOCTOR  # which names what this test lacks
        assert is_expected, f"{command}\n{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr


@pytest.fixture
def hosts(environment: str, tmp_path: Path) -> Iterator[Hosts]:
    with Hosts(tmp_path, environment) as both:
        yield both


def test_every_command_of_the_page_works_in_its_order(hosts: Hosts):
    page = [command.text for command in commands() if command.page == PAGE]
    assert SERVER in page
    assert WORKER in page
    for command in page:
        hosts.run(command)
