"""The Python API and every command find the stack that runs here, on whichever port it is."""

import os
import subprocess
import sys
from uuid import uuid4

import pytest
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker import ApiUnavailableError, Run, find, submit
from analytics_worker.cli import COMMANDS, LazyGroup
from analytics_worker.prefect_support.api_client import _settings_at_import, api_client
from analytics_worker.settings import project_root, settings
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import API_LOGIN, API_URL, DEFAULT_ADDRESS
from tests.support.ports import free_port

LOGIN = "admin:of the stack"
SHOW_ADDRESS = """
from analytics_worker.prefect_support.api_client import api_client
with api_client() as client:
    print(client.api_url)
"""


@pytest.fixture
def stack(tmp_path, monkeypatch):
    """What `make up` wrote for a stack that listens nowhere; its address."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # commands set variables there
    for name in (API_URL, API_LOGIN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    settings.cache_clear()
    address = f"http://127.0.0.1:{free_port()}/api"
    StateFolder(tmp_path).write_env({API_URL: address, API_LOGIN: LOGIN})
    with temporary_settings({PREFECT_API_URL: _settings_at_import().api.url}):
        yield address  # independent of the server that the tests of this process use


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.setattr("analytics_worker.settings.project_root", lambda: tmp_path)
    return tmp_path


CALLS = {
    "submit": lambda: submit("refresh-catalog"),
    "find": lambda: find(uuid4()),
    "get": lambda: Run(uuid4(), "run", "deployment").get(),
    "state": lambda: Run(uuid4(), "run", "deployment").state(),
}


@pytest.mark.parametrize("call", CALLS)
def test_the_python_api_asks_the_stack_of_this_folder(stack, call):
    with pytest.raises(ApiUnavailableError) as unavailable:
        CALLS[call]()
    expected = (
        f"The Prefect API {stack} does not answer (ConnectError): run `make up`, or set {API_URL}."
    )
    assert str(unavailable.value) == expected


def test_a_run_is_shown_by_the_ui_of_the_stack(stack):
    assert str(Run(uuid4(), "run", "deployment").url).startswith(stack.removesuffix("/api"))


def test_the_login_comes_with_the_address(stack):
    with api_client() as client:
        assert str(client.api_url).rstrip("/") == stack
        assert "authorization" in client._client.headers


@pytest.mark.usefixtures("stack")
def test_without_a_stack_the_default_address_is_named(tmp_path):
    (tmp_path / "stack.env").unlink()
    shown = subprocess.run(
        [sys.executable, "-c", SHOW_ADDRESS],
        cwd=project_root(), check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert shown.stdout.strip().rstrip("/") == DEFAULT_ADDRESS


@pytest.mark.usefixtures("stack")
def test_an_address_that_the_caller_chose_is_kept():
    other = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: other}), api_client() as client:
        assert str(client.api_url).rstrip("/") == other
        assert "authorization" not in client._client.headers


@pytest.mark.usefixtures("stack")
def test_the_address_of_the_file_env_wins(project):
    (project / ".env").write_text(f"{API_URL}=http://127.0.0.1:4999/api\n")
    with api_client() as client:
        assert client.api_url.port == 4999


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "up"])
def test_every_command_asks_the_stack_of_this_folder(stack, command):
    assert LazyGroup().get_command(None, command)
    assert (os.environ[API_URL], os.environ[API_LOGIN]) == (stack, LOGIN)


@pytest.mark.usefixtures("stack")
def test_the_start_of_a_stack_takes_nothing_from_another():
    assert LazyGroup().get_command(None, "up")
    assert API_URL not in os.environ


@pytest.mark.usefixtures("stack")
def test_commands_keep_the_address_that_was_set(monkeypatch):
    monkeypatch.setenv(API_URL, "http://192.0.2.2:4200/api")
    assert LazyGroup().get_command(None, "deploy")
    assert os.environ[API_URL] == "http://192.0.2.2:4200/api"
    assert API_LOGIN not in os.environ
