"""The Python API and every command find the stack that runs here, on whichever port it is."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar
from uuid import uuid4

import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings

from analytics_worker import ApiUnavailableError, Run, find, submit
from analytics_worker.cli import COMMANDS, OWN_SERVER, LazyGroup
from analytics_worker.errors import PermanentError
from analytics_worker.prefect_support.api_client import api_client
from analytics_worker.prefect_support.stack_access import (
    NoServerError,
    _settings_at_import,
    with_stack_access,
)
from analytics_worker.settings import project_root, settings
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import API_LOGIN, API_URL, STACK_HEADER, stack_id
from tests.support.ports import free_port

LOGIN = "admin:of the stack"


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


@contextmanager
def chosen_client():
    """A client for a server that need not answer."""
    with with_stack_access(), get_client(sync_client=True) as client:
        yield client


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
    expected = f"The Prefect API {stack} does not answer (connection refused): run `make up`, or set {API_URL}."
    assert str(unavailable.value) == expected


def test_a_run_is_shown_by_the_ui_of_the_stack(stack):
    assert str(Run(uuid4(), "run", "deployment").url).startswith(stack.removesuffix("/api"))


def test_the_login_comes_with_the_address(stack):
    with chosen_client() as client:
        assert str(client.api_url).rstrip("/") == stack
        assert "authorization" in client._client.headers


OUTSIDE = {
    "submit": "from analytics_worker import submit; submit('refresh-catalog')",
    "a flow": "from flows.analytics import refresh_catalog; refresh_catalog()",
    "prefect": "import sys; sys.argv = ['prefect', 'deployment', 'ls']\n"
    "from analytics_worker.cli.prefect import main; main()",
    "deploy": "import sys; sys.argv = ['analytics-worker', 'deploy']\n"
    "from analytics_worker.cli import main; main()",
}


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("code", OUTSIDE)
def test_without_a_stack_no_other_server_is_used_or_started(tmp_path, code):
    """In a folder anywhere: the server on port 4200 may be another checkout's."""
    (tmp_path / "stack.env").unlink()
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE[code]],
        cwd=tmp_path, check=False, capture_output=True, text=True,
    )  # fmt: skip
    expected = f"No Prefect server is known: run `make up` in {project_root()}, or set {API_URL}."
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(expected), done.stderr


class Answer(BaseHTTPRequestHandler):
    """The server of a stack."""

    stack = ""
    logins: ClassVar[list[str | None]] = []

    def do_GET(self):
        self.logins.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header(STACK_HEADER, self.stack)
        self.end_headers()

    def log_message(self, format, *args):  # noqa: A002  # the library's signature
        """Print nothing."""


@pytest.fixture
def other_stack(tmp_path):
    """The server of another checkout, on the address that this one's stack had until it was killed."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    Answer.logins.clear()
    address = f"http://127.0.0.1:{server.server_port}/api"
    StateFolder(tmp_path).write_env({API_URL: address, API_LOGIN: LOGIN})
    with server:
        Thread(target=server.serve_forever).start()
        yield server
        server.shutdown()


@pytest.mark.usefixtures("stack", "other_stack")
@pytest.mark.parametrize("stack_of_server", ["", "of another folder"])
def test_the_stack_of_another_checkout_is_not_used(monkeypatch, stack_of_server):
    monkeypatch.setattr(Answer, "stack", stack_of_server)
    with pytest.raises(NoServerError, match=r"is not the stack of .* run `make up`"):
        submit("refresh-catalog")
    assert Answer.logins == [None]


@pytest.mark.usefixtures("stack")
def test_the_own_stack_is_used(other_stack, monkeypatch):
    monkeypatch.setattr(Answer, "stack", stack_id())
    with api_client() as client:
        assert client.api_url.port == other_stack.server_port


def test_an_address_that_swallows_everything_is_given_up():
    """Nothing listens: the queue of connections is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        with socket.create_connection(address), ExitStack() as queue:
            for _ in range(3):
                connecting = queue.enter_context(socket.socket())
                connecting.setblocking(False)
                connecting.connect_ex(address)
            url = f"http://127.0.0.1:{address[1]}/api"
            expected = pytest.raises(ApiUnavailableError, match="does not answer \\(ConnectTimeout")
            with temporary_settings({PREFECT_API_URL: url}), expected:
                submit("refresh-catalog")


def test_the_name_of_a_flow_is_suggested():
    with pytest.raises(PermanentError, match="found; did you mean 'refresh-catalog/analytics'"):
        submit("refresh_catalog")


@pytest.mark.usefixtures("stack")
def test_an_address_that_the_caller_chose_is_kept():
    other = f"http://127.0.0.1:{free_port()}/api"
    with temporary_settings({PREFECT_API_URL: other}), chosen_client() as client:
        assert str(client.api_url).rstrip("/") == other
        assert "authorization" not in client._client.headers


@pytest.mark.usefixtures("stack")
def test_the_address_of_the_file_env_wins(project):
    (project / ".env").write_text(f"{API_URL}=http://127.0.0.1:4999/api\n")
    with chosen_client() as client:
        assert client.api_url.port == 4999


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in OWN_SERVER])
def test_every_command_asks_the_stack_of_this_folder(stack, command):
    assert LazyGroup().get_command(None, command)
    assert (os.environ[API_URL], os.environ[API_LOGIN]) == (stack, LOGIN)


@pytest.mark.parametrize("command", sorted(OWN_SERVER))
@pytest.mark.usefixtures("stack")
def test_the_start_of_a_server_takes_nothing_from_another(command):
    assert LazyGroup().get_command(None, command)
    assert API_URL not in os.environ


@pytest.mark.usefixtures("stack")
def test_commands_keep_the_address_that_was_set(monkeypatch):
    monkeypatch.setenv(API_URL, "http://192.0.2.2:4200/api")
    assert LazyGroup().get_command(None, "deploy")
    assert os.environ[API_URL] == "http://192.0.2.2:4200/api"
    assert API_LOGIN not in os.environ
