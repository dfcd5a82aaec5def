"""A whole server is backed up while it runs, lost, and restored; other versions of PostgreSQL, and a server on one."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from prefect.settings import PREFECT_API_AUTH_STRING, temporary_settings

from analytics_worker.database import connections
from analytics_worker.migrations import head, upgrade
from analytics_worker.settings import settings
from tests.support.backups import connected, execute, fill, rows, succeed
from tests.support.case_runs import Workspace
from tests.support.contrib_postgres import ContribPostgres, server_on
from tests.support.lone_server import LoneServer
from tests.support.processes import Server, our_worker

pytestmark = pytest.mark.timeout(600)
WORKER = """
import os
os.environ.pop("PREFECT_HOME", None)  # of the tests: the server's is in its state folder
from analytics_worker.cli import main
main()
"""


def run(folder: Path, url: str, *arguments: object) -> None:
    """Run ``analytics-worker`` as a process on the host with this state folder."""
    done = subprocess.run(
        [sys.executable, "-c", WORKER, *map(str, arguments)],
        env=os.environ | {"STATE_DIR": str(folder), "DATABASE_URL": url},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_lost_server_continues_from_its_backup(environment: str, tmp_path: Path):
    fill(environment)
    connections.dispose()
    with LoneServer(tmp_path / "first", SERVER_LOGIN="on") as first:
        login = first.login
        with temporary_settings({PREFECT_API_AUTH_STRING: login}):
            work = Workspace(tmp_path / "flows", first.api_url(), "saved")
            variables = {
                "PREFECT_API_URL": first.api_url(),
                "PREFECT_API_AUTH_STRING": login,
                "PREFECT_HOME": str(tmp_path / "home"),
                "STATE_DIR": str(tmp_path / "worker"),
                "WORKER_CODE_FOLDERS": str(tmp_path),
            }
            run_id = work.submit("ok")
            with our_worker("saved", variables, tmp_path / "log"):
                assert work.wait(run_id, timeout=120).name == "Completed"
            waiting = work.submit("ok")
            run(first.state_dir, environment, "backup", tmp_path / "saved")
            work.close()
    shutil.rmtree(first.state_dir)
    saved = rows(environment)
    execute(environment, "delete from ops.alert_states")
    second = LoneServer(tmp_path / "second", SERVER_LOGIN="on")
    run(second.state_dir, environment, "restore", tmp_path / "saved", "--replace")
    assert rows(environment) == saved
    with second:
        assert second.login == login
        user, _, password = login.partition(":")
        with httpx.Client(base_url=second.api_url(), auth=(user, password)) as client:
            assert client.get(f"/flow_runs/{run_id}").json()["state_name"] == "Completed"
        variables["PREFECT_API_URL"] = second.api_url()
        with (
            our_worker("saved", variables, tmp_path / "log2"),
            temporary_settings({PREFECT_API_AUTH_STRING: login}),
        ):
            again = Workspace(tmp_path / "flows2", second.api_url(), "other")
            assert again.wait(waiting, timeout=120).name == "Completed"
            again.close()


def test_it_moves_between_versions_of_postgresql(
    environment: str, contrib_postgres: ContribPostgres, tmp_path: Path, monkeypatch
):
    fill(environment)
    saved = rows(environment)
    succeed("backup", tmp_path / "newer")
    monkeypatch.setenv("DATABASE_URL", contrib_postgres.plain_url)
    settings.cache_clear()
    succeed("restore", tmp_path / "newer", "--other-database")
    assert rows(contrib_postgres.plain_url) == saved
    succeed("backup", tmp_path / "older")
    monkeypatch.setenv("DATABASE_URL", environment)
    settings.cache_clear()
    succeed("restore", tmp_path / "older", "--other-database", "--replace")
    assert rows(environment) == saved
    assert execute(environment, "select version_num from ops.alembic_version") == [(head(),)]


def test_a_server_on_postgresql_is_restored_into_an_empty_database(
    environment: str, contrib_postgres: ContribPostgres, tmp_path: Path, monkeypatch
):
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", contrib_postgres.url)
    with server_on(contrib_postgres, tmp_path / "server") as server:
        with httpx.Client(base_url=server.api_url) as client:
            pool = {"name": "saved", "type": "process"}
            assert client.post("/work_pools/", json=pool).is_success
        backed_up(environment, tmp_path)
    with connected(contrib_postgres.plain_url) as cursor:
        cursor.connection.autocommit = True
        cursor.execute("create database other")
    other = contrib_postgres.url.replace("/prefect?", "/other?")
    assert other != contrib_postgres.url
    given = f"{other.replace('+asyncpg', '')}&sslmode=prefer"
    monkeypatch.setenv("PREFECT_SERVER_DATABASE_CONNECTION_URL", given)
    restored(environment, tmp_path)
    monkeypatch.delenv("PREFECT_SERVER_DATABASE_CONNECTION_URL")
    started = Server(tmp_path / "second", PREFECT_API_DATABASE_CONNECTION_URL=other)
    with started, httpx.Client(base_url=started.api_url) as client:
        assert client.get("/work_pools/saved").json()["name"] == "saved"


def backed_up(url: str, tmp_path: Path) -> None:
    connections.dispose()
    run(tmp_path / "state", url, "backup", tmp_path / "saved")


def restored(url: str, tmp_path: Path) -> None:
    connections.dispose()
    run(tmp_path / "state", url, "restore", tmp_path / "saved", "--replace")


def test_the_database_of_make_up_is_used_while_no_stack_runs(tmp_path: Path):
    from analytics_worker.stack.postgres.server import EmbeddedPostgres  # noqa: PLC0415

    state = tmp_path / "state"
    with EmbeddedPostgres(state / "postgres") as postgres:
        upgrade(postgres.url, sample=True)
        fill(postgres.url)
        saved = rows(postgres.url)
    run(state, "", "backup", tmp_path / "saved")
    shutil.rmtree(state)
    run(state, "", "restore", tmp_path / "saved")
    with EmbeddedPostgres(state / "postgres") as postgres:
        assert rows(postgres.url) == saved
