"""What keeps the stack from starting: one line on standard error, exit code 2, nothing left behind."""

import os
import shutil
import socket
import subprocess

import pytest

from tests.support.attacks import attack
from tests.support.stack import COMMAND, SMALL, RunningStack

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")


def refused(stack: RunningStack) -> str:
    done = stack.run("up", *SMALL)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    assert stack.processes() == []
    assert not list(stack.state_dir.glob("stack.env"))
    return done.stderr


def test_a_taken_port(new_stack):
    with socket.create_server(("127.0.0.1", new_stack.port)):
        line = refused(new_stack)
    assert f"Port {new_stack.port} can't be used" in line
    assert f"PREFECT_SERVER_API_PORT={new_stack.port + 1}" in line


def test_a_taken_port_of_the_metrics(new_stack):
    with socket.create_server(("127.0.0.1", new_stack.metrics_port)):
        line = refused(new_stack)
    assert f"PROMETHEUS_PORT={new_stack.metrics_port + 1}" in line


def test_a_port_that_is_none(new_stack):
    new_stack.variables["PREFECT_SERVER_API_PORT"] = "http"
    assert "PREFECT_SERVER_API_PORT='http' is not a valid port" in refused(new_stack)


@attack(
    by="network",
    what="Reach an API without a login: SERVER_LOGIN=off with a server that listens everywhere",
    answer="`make up` does not start",
)
def test_no_login_where_other_hosts_reach_the_server(new_stack):
    new_stack.variables |= {"SERVER_LOGIN": "off", "PREFECT_SERVER_API_HOST": "0.0.0.0"}  # noqa: S104
    line = refused(new_stack)
    assert "SERVER_LOGIN=off and PREFECT_SERVER_API_HOST=0.0.0.0" in line
    assert "run commands as this user" in line


def test_an_address_that_is_none(new_stack):
    new_stack.variables["PREFECT_SERVER_API_HOST"] = "no such host"
    assert "PREFECT_SERVER_API_HOST is 'no such host'" in refused(new_stack)


def test_an_allowed_host_that_is_none(new_stack):
    new_stack.variables["SERVER_ALLOWED_HOSTS"] = "a.example.com, https://b.example.com"
    assert "SERVER_ALLOWED_HOSTS has 'https://b.example.com'" in refused(new_stack)


def test_a_code_folder_that_is_missing(new_stack):
    new_stack.variables["WORKER_CODE_FOLDERS"] = "/nonexistent/flows"
    assert "WORKER_CODE_FOLDERS: /nonexistent/flows is not a folder" in refused(new_stack)


def test_a_database_that_does_not_answer(new_stack):
    new_stack.variables["DATABASE_URL"] = "postgresql://me:secret@127.0.0.1:1/sales"
    line = refused(new_stack)
    assert "DATABASE_URL (127.0.0.1, database sales) does not answer" in line
    assert "secret" not in line


def test_a_database_of_the_prefect_server_that_does_not_answer(new_stack):
    url = "postgresql+asyncpg://me:secret@127.0.0.1:1/prefect"
    new_stack.variables["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = url
    line = refused(new_stack)
    expected = (
        "PREFECT_SERVER_DATABASE_CONNECTION_URL (127.0.0.1, database prefect) does not answer"
    )
    assert expected in line
    assert "secret" not in line


def test_a_database_url_that_is_none(new_stack):
    new_stack.variables["DATABASE_URL"] = "sales:secret"
    line = refused(new_stack)
    assert "DATABASE_URL is not a valid URL" in line
    assert "secret" not in line


def test_a_wrong_password(new_stack, postgres):
    new_stack.variables["DATABASE_URL"] = postgres.url.replace("://analytics:", "://analytics:x")
    assert "password authentication failed" in refused(new_stack)


@pytest.mark.parametrize(
    ("login", "said"),
    [
        ("admin:", "has an empty password"),
        ("nologin", "has no colon"),
        ("jürgen:secret", "has a character that is not ASCII, which the server can't compare"),
    ],
)
def test_a_login_that_protects_nothing(new_stack, login: str, said: str):
    new_stack.variables["PREFECT_SERVER_API_AUTH_STRING"] = login
    assert f"PREFECT_SERVER_API_AUTH_STRING {said}; expected user:password" in refused(new_stack)


def test_a_folder_that_cannot_be_written(new_stack):
    new_stack.state_dir.parent.joinpath("file").touch()
    new_stack.variables["STATE_DIR"] = str(new_stack.state_dir.parent / "file/state")
    assert "set STATE_DIR to a folder of yours" in refused(new_stack)


def test_a_log_folder_that_cannot_be_written(new_stack):
    new_stack.state_dir.parent.joinpath("file").touch()
    new_stack.variables["LOG_DIR"] = str(new_stack.state_dir.parent / "file/logs")
    assert "set LOG_DIR to a folder of yours" in refused(new_stack)


@only_root
def test_a_full_disk(new_stack):
    new_stack.state_dir.mkdir()
    mount = 'mount -t tmpfs -o size=10m tmpfs "$STATE_DIR" && exec "$@"'
    done = subprocess.run(
        [shutil.which("unshare") or "unshare", "--mount", "sh", "-c", mount, "sh", *COMMAND, "up"],
        capture_output=True,
        text=True,
        env=new_stack.environment,
        check=False,
    )
    if "permission denied" in done.stderr.lower():
        pytest.skip("mounting is not allowed here")
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1
    assert "MB free and the stack needs" in done.stderr


def test_status_without_a_stack_says_so(new_stack):
    done = new_stack.run("status")
    assert done.returncode == 1
    assert "run `make up`" in done.stderr


def test_env_without_a_stack_says_so(new_stack):
    done = new_stack.run("env")
    assert (done.returncode, done.stdout) == (1, "")
    assert "run `make up`" in done.stderr
