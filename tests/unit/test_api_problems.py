"""What is said of a Prefect API that answers, but not with what was asked for; and of a login that can't be sent."""

import os
from typing import Any

import pytest
from prefect import get_client
from prefect.settings import (
    PREFECT_API_AUTH_STRING,
    PREFECT_API_KEY,
    PREFECT_API_URL,
    PREFECT_CLIENT_CUSTOM_HEADERS,
    temporary_settings,
)
from typer.testing import CliRunner

from analytics_worker import submit
from analytics_worker.cli import LazyGroup, app
from analytics_worker.cli.errors import error_message
from analytics_worker.prefect_support.api_problems import api_problem
from analytics_worker.settings import settings
from analytics_worker.stack_address import API_KEY, API_LOGIN, ApiLoginError
from tests.support.fixed_answer import FixedAnswer
from tests.support.ports import free_port

JSON = "application/json"
LOGIN_REFUSED = "does not accept the login in PREFECT_API_AUTH_STRING: set PREFECT_API_AUTH_STRING"
PROXY = "a proxy or a login page answers instead of it"


def problem(url: str, **chosen: Any) -> str:
    """What a request to that API ends with."""
    names = {"login": PREFECT_API_AUTH_STRING, "key": PREFECT_API_KEY}
    values: dict[Any, Any] = {PREFECT_API_URL: url} | {names[n]: v for n, v in chosen.items()}
    with temporary_settings(values):
        with (
            pytest.raises(Exception) as failed,  # noqa: PT011  # whichever it is
            get_client(sync_client=True) as client,
        ):
            client.read_work_pool("kpis")
        message = api_problem(failed.value)
        assert message == error_message(failed.value)
    return message


@pytest.mark.parametrize(
    ("status", "kind", "body", "expected"),
    [
        (401, JSON, b"{}", LOGIN_REFUSED),
        (403, JSON, b'{"detail": "not you"}', "refused the request: not you"),
        (403, "text/html", b"<p>no</p>", f"refused the request: status 403: {PROXY}; what it"),
        (404, JSON, b'{"detail": "no pool"}', "GET /api/work_pools/kpis with status 404: no pool"),
        (
            500,
            JSON,
            b"{}",
            "answers GET /api/work_pools/kpis with status 500: {}; its log says why",
        ),
        (200, "text/html", b"<p>Log in</p>", f"with a page in place of JSON: {PROXY}"),
    ],
)
def test_a_server_that_answers_is_not_said_to_be_away(status, kind, body, expected):
    with FixedAnswer(status, kind, body) as server:
        message = problem(server.api_url, login="ann:canary")
    assert message.startswith(f"The Prefect API {server.api_url} ")
    assert expected in message
    assert "does not answer" not in message
    assert "canary" not in message


def test_a_key_that_is_refused_is_named():
    with FixedAnswer(401, JSON, b"{}") as server:
        message = problem(server.api_url, key="canary")
    assert "does not accept the key in PREFECT_API_KEY: set PREFECT_API_AUTH_STRING" in message
    assert "canary" not in message


def test_the_password_of_an_address_is_not_shown():
    port = free_port()
    message = problem(f"http://ann:canary@127.0.0.1:{port}/api")
    assert message.startswith(f"The Prefect API http://127.0.0.1:{port}/api does not answer")


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A proxy that answers with a page, as the API that is set."""
    monkeypatch.setattr(os, "environ", os.environ.copy())  # commands set variables there
    with FixedAnswer() as proxy:
        monkeypatch.setenv("STATE_DIR", str(tmp_path))
        monkeypatch.setenv("PREFECT_API_URL", proxy.api_url)
        monkeypatch.setenv("COLUMNS", "500")
        settings.cache_clear()
        with temporary_settings({PREFECT_API_URL: proxy.api_url}):
            yield proxy


@pytest.mark.parametrize("command", ["deploy", "status", "doctor"])
def test_commands_name_a_proxy_that_answers_with_a_page(page: FixedAnswer, command: str):
    result = CliRunner().invoke(app, [command])
    shown = " ".join((result.stdout + result.stderr).split())
    assert result.exit_code == 1
    assert f"{page.api_url} is answered with a page in place" in shown
    assert PROXY in shown
    assert "Traceback" not in shown
    assert "does not answer" not in result.stderr


@pytest.mark.parametrize("command", ["deploy", "doctor", "status", "worker", "exporter", "env"])
@pytest.mark.parametrize("variable", [API_LOGIN, API_KEY])
def test_commands_refuse_what_can_not_be_sent(page, monkeypatch, command, variable):
    monkeypatch.setenv(variable, "ann:Kanärie")
    with pytest.raises(ApiLoginError, match=f"^{variable} has a character that") as refused:
        LazyGroup().get_command(None, command)
    assert "Kanärie" not in str(refused.value)
    assert page.requests == []


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        (PREFECT_API_AUTH_STRING, "ann:Kanärie"),
        (PREFECT_API_KEY, "Kanärie"),
        (PREFECT_API_KEY, "kanarie\n"),
        (PREFECT_CLIENT_CUSTOM_HEADERS, {"X-Key": "Kanärie"}),
    ],
)
def test_python_is_refused_before_anything_is_sent(page, setting, value):
    with temporary_settings({setting: value}), pytest.raises(ApiLoginError) as refused:
        submit("refresh-catalog")
    assert "anarie" not in str(refused.value)
    assert "Kanärie" not in str(refused.value)
    assert page.requests == []
