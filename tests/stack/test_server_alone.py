"""`analytics-worker server`: a server for several hosts, with a login, and workers that join it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from tests.support.case_runs import Workspace
from tests.support.lone_server import COMMAND, EVERYWHERE, LoneServer, own_address
from tests.support.ports import free_port
from tests.support.processes import our_worker
from tests.support.wait_until import wait_until

REFUSED = 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneServer]:
    with LoneServer(tmp_path_factory.mktemp("lone"), "--host", EVERYWHERE) as started:
        yield started


def test_other_hosts_need_the_login(server: LoneServer):
    address = f"{server.api_url(own_address())}/admin/settings"
    assert httpx.get(address).status_code == HTTPStatus.UNAUTHORIZED
    user, _, password = server.login.partition(":")
    answer = httpx.get(address, auth=(user, password))
    assert answer.is_success
    assert answer.json()["server"]["services"]["db_vacuum"]["enabled"]
    login_file = server.state_dir / "login"
    assert login_file.stat().st_mode & 0o077 == 0


def test_it_says_its_database_and_how_workers_join_and_shows_no_password(server: LoneServer):
    output = server.output()
    assert f"Database: SQLite in {server.state_dir / 'prefect'}" in output
    assert (server.state_dir / "prefect/prefect.db").exists()
    assert "PREFECT_SERVER_DATABASE_CONNECTION_URL=postgresql+asyncpg://" in output
    assert f"Starting http://127.0.0.1:{server.port}/api, which answers in some seconds" in output
    assert f"Ready: http://127.0.0.1:{server.port}/api answers." in output
    assert not [line for line in output.splitlines() if line.startswith("!")]
    assert f"PREFECT_API_URL=http://HOST:{server.port}/api" in output
    assert str(server.state_dir / "login") in output
    assert server.login.partition(":")[2] not in output


def test_its_lines_of_json_are_of_the_server_and_no_warnings(tmp_path: Path):
    with LoneServer(tmp_path, LOG_FORMAT="json") as server:
        wait_until(lambda: "Ready: http" in server.output(), timeout=60, interval=0.1)
        lines = [json.loads(line) for line in server.output().splitlines()]
    starts = ("Database: SQLite", "Starting http://", "Ready: http://")
    found = [line for line in lines if line["message"].startswith(starts)]
    described = {(line["level"], line["logger"], line["process"]) for line in found}
    assert len(found) == len(starts)
    assert described == {("INFO", "server", "server")}


def test_a_worker_on_another_host_joins(server: LoneServer, tmp_path: Path):
    """Its own state folder, and nothing of the server's but address and login."""
    with temporary_settings({PREFECT_API_AUTH_STRING: server.login}):
        work = Workspace(tmp_path / "flows", server.api_url(own_address()), "joined")
    variables = {
        "PREFECT_API_URL": server.api_url(own_address()),
        "PREFECT_API_AUTH_STRING": server.login,
        "PREFECT_HOME": str(tmp_path / "home"),
        "STATE_DIR": str(tmp_path / "state"),
        "WORKER_CODE_FOLDERS": str(tmp_path),
    }
    with our_worker("joined", variables, tmp_path / "log"):
        assert work.wait(work.submit("ok"), timeout=120).name == "Completed"
    work.close()


def refused(tmp_path: Path, *options: str, **variables: str) -> str:
    own = {"STATE_DIR": str(tmp_path / "state"), "SERVER_LOGIN": "auto", **variables}
    done = subprocess.run(
        [sys.executable, *COMMAND, *options],
        env=os.environ | own,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == REFUSED, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize(
    ("options", "variables", "text"),
    [
        (["--host", EVERYWHERE], {"SERVER_LOGIN": "off"}, "other hosts would reach the API"),
        (["--port", "99999"], {}, "is not a valid port"),
        (["--host", "192.0.2.7"], {}, "error: 192.0.2.7 is not an address of this host: set"),
    ],
)
def test_what_would_be_open_or_can_not_listen_is_refused(
    tmp_path: Path, options: list[str], variables: dict[str, str], text: str
):
    assert text in refused(tmp_path, *options, **variables)


def test_one_server_uses_a_state_folder(server: LoneServer):
    own = {"STATE_DIR": str(server.state_dir)}
    text = refused(server.state_dir, "--port", str(free_port()), **own)
    assert "is already running" in text
