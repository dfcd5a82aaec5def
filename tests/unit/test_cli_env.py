"""`analytics-worker env` exports the server that the commands use, wherever it is set."""

import os
import subprocess
from pathlib import Path

import pytest

from analytics_worker.cli import env as command
from analytics_worker.settings import settings
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import API_LOGIN, API_URL

URL = "https://analytics.example.com/api"
LOGIN = "admin:a'b\"$(id) `id` \\"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout without a database."""
    for name in (API_URL, API_LOGIN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("analytics_worker.settings.project_root", lambda: tmp_path)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    settings.cache_clear()
    return tmp_path


def exported(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return what a shell makes of the output."""
    command.env()
    lines = capsys.readouterr().out.splitlines()
    names = [line.removeprefix("export ").partition("=")[0] for line in lines]
    script = "\n".join([*lines, *(f'printf "%s\\0" "${name}"' for name in names)])
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    return dict(zip(names, done.stdout.split("\0"), strict=False))


def test_address_and_login_of_the_file_env_are_exported(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    login = LOGIN.replace("\\", "\\\\").replace("'", "\\'")
    ca = "PREFECT_API_SSL_CERT_FILE=/etc/ssl/our ca.pem"
    (project / ".env").write_text(f"{API_URL}={URL}\n{API_LOGIN}='{login}'\n{ca}\n")
    expected = {API_URL: URL, API_LOGIN: LOGIN, "PREFECT_API_SSL_CERT_FILE": "/etc/ssl/our ca.pem"}
    assert exported(capsys) == expected


def test_the_login_of_the_stack_is_not_that_of_another_server(
    project: Path, capsys: pytest.CaptureFixture[str]
):
    stack = "http://127.0.0.1:4200/api"
    StateFolder(project / "state").write_env({API_URL: stack, API_LOGIN: "admin:of the stack"})
    settings.cache_clear()
    assert exported(capsys) == {API_URL: stack, API_LOGIN: "admin:of the stack"}
    (project / ".env").write_text(f"{API_URL}={URL}\n")
    assert exported(capsys) == {API_URL: URL}


def test_the_environment_takes_precedence(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    (project / ".env").write_text(f"{API_URL}={URL}\n")
    monkeypatch.setitem(os.environ, API_URL, "http://127.0.0.1:4999/api")
    assert exported(capsys)[API_URL] == "http://127.0.0.1:4999/api"
