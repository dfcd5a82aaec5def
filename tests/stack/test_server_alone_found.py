"""Commands of the checkout find the server of `analytics-worker server`, as they find that of `make up`."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_worker.settings import settings
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import API_LOGIN, API_URL, stack_variables
from tests.support.lone_server import COMMAND, EVERYWHERE, LoneServer
from tests.support.ports import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoneServer]:
    with LoneServer(tmp_path, "--host", EVERYWHERE) as started:
        yield started


def command(server: LoneServer, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it in a shell that knows the state folder and nothing else."""
    code = "from analytics_worker.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *words],
        env=os.environ | {"STATE_DIR": str(server.state_dir)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_commands_use_its_address_and_login(server: LoneServer):
    folder = StateFolder(server.state_dir)
    assert stat.S_IMODE(folder.env_file.stat().st_mode) == 0o600
    shown = command(server, "status")
    assert f"Server of process {server.pid}, {server.api_url()}" in shown.stdout, shown.stderr
    assert "not deployed" in shown.stdout
    exports = command(server, "env").stdout.splitlines()
    assert f"export {API_URL}={server.api_url()}" in exports
    assert f"export {API_LOGIN}={server.login}" in exports


def test_a_second_one_changes_nothing(server: LoneServer):
    file = StateFolder(server.state_dir).env_file
    before = file.read_text()
    done = subprocess.run(
        [sys.executable, *COMMAND, "--port", str(free_port())],
        env=os.environ | {"STATE_DIR": str(server.state_dir)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert "is already running (process" in done.stderr
    assert file.read_text() == before


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_is_forgotten_when_it_ends(
    server: LoneServer, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
):
    server.end(number)
    assert server.ended() == (0 if number == signal.SIGINT else -number)
    monkeypatch.setenv("STATE_DIR", str(server.state_dir))
    settings.cache_clear()
    assert stack_variables() == {}
    shown = command(server, "status")
    expected = f"No stack runs in {server.state_dir}: run `make up`, or set {API_URL}."
    assert shown.stderr.strip() == expected


def test_what_a_killed_one_left_is_replaced(server: LoneServer):
    server.end(signal.SIGKILL)
    file = StateFolder(server.state_dir).env_file
    left = file.read_text()
    with LoneServer(server.state_dir.parent, "--host", EVERYWHERE) as second:
        assert file.read_text() != left
        assert f"export {API_URL}={second.api_url()}" in command(second, "env").stdout
        second.end()
    assert not file.exists()
