"""A server that asks for a login: who gets in, and what those read who do not."""

import os
import subprocess
import sys
from http import HTTPStatus

import httpx
import psutil
import pytest
from prefect import get_client
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from analytics_worker.doctor import access, run_checks
from analytics_worker.exporter.collectors.work_pools import WorkPools
from analytics_worker.exporter.label_cache import CachedList
from analytics_worker.exporter.poller import CollectorState
from analytics_worker.exporter.prefect_client import PrefectApi
from analytics_worker.prefect_support.api_client import ApiRefusedError, api_client, check_access
from analytics_worker.prefect_support.runs import submit
from analytics_worker.settings import settings
from analytics_worker.stack.state_dir import StateFolder
from analytics_worker.stack_address import STACK_ID
from tests.support.attacks import attack
from tests.support.doctor_findings import problems
from tests.support.guarded_server import LOGIN, PROXY, client_of
from tests.support.ports import free_port
from tests.support.processes import Process, Server
from tests.support.raw_http import UPGRADE, post_json, send
from tests.support.stack import COMMAND

NAMED = "set PREFECT_API_AUTH_STRING=user:password"


@attack(
    by="API caller",
    what="Read, write and open websockets without the login, also from another host",
    answer="401, or no handshake",
)
def test_without_the_login_nothing_opens(closed_server: Server):
    for host in {"127.0.0.1", *_own_addresses()}:
        for path in ("/api/admin/settings", "/api/flows/paginate"):
            answer = httpx.get(f"http://{host}:{closed_server.port}{path}")
            assert answer.status_code == HTTPStatus.UNAUTHORIZED
        assert httpx.get(f"http://{host}:{closed_server.port}/api/health").is_success
    socket = send(
        closed_server.port,
        "GET",
        "/api/events/out",
        UPGRADE,
        host=f"localhost:{closed_server.port}",
    )
    assert socket.status == HTTPStatus.FORBIDDEN


def _own_addresses() -> list[str]:
    """Those of this machine at which other hosts reach it."""
    found = [each for card in psutil.net_if_addrs().values() for each in card]
    return [str(each.address) for each in found if each.family.name == "AF_INET"]


def test_a_name_of_a_reverse_proxy_passes(closed_server: Server):
    headers = [("Origin", f"https://{PROXY}"), ("Sec-Fetch-Site", "same-origin")]
    for host in (PROXY, f"{PROXY}:{closed_server.port}", f"127.0.0.1:{closed_server.port}"):
        answer = send(closed_server.port, "GET", "/api/health", headers, host=host)
        assert answer.status == HTTPStatus.OK


@pytest.mark.parametrize("login", [None, "admin:wrong"])
def test_commands_of_prefect_show_the_variable(closed_server: Server, login: str | None):
    shown = subprocess.run(
        [sys.executable, "-m", "prefect", "deployment", "ls"],
        env=_environment(closed_server, login),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert shown.returncode == 1
    assert "Set PREFECT_API_AUTH_STRING to USER:PASSWORD" in " ".join(shown.stderr.split())


@pytest.mark.parametrize("login", [None, "admin:wrong"])
@pytest.mark.parametrize("command", [("deploy",), ("worker", "--pool", "dbt"), ("doctor",)])
def test_commands_name_the_variable(
    closed_server: Server, command: tuple[str, ...], login: str | None
):
    process = subprocess.run(
        [*COMMAND, *command],
        env=_environment(closed_server, login),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    said = " ".join((process.stdout + process.stderr).split())
    assert process.returncode == 1, said
    assert "PREFECT_API_AUTH_STRING" in said
    assert "Traceback" not in said
    assert ("does not accept the login" if login else "requires a login") in said


def _environment(server: Server, login: str | None) -> dict[str, str]:
    own = {"PREFECT_API_URL": server.api_url, "COLUMNS": "500"}
    return {**os.environ, **own, **({"PREFECT_API_AUTH_STRING": login} if login else {})}


@pytest.mark.parametrize("own", [True, False])
def test_python_is_told_the_variable_and_the_file_if_it_is_of_that_server(
    closed_server: Server, own: bool
):
    folder = StateFolder(settings().state_dir)
    folder.path.mkdir(parents=True, exist_ok=True)
    address = closed_server.api_url if own else "http://127.0.0.1:4200/api"
    folder.write_env({STACK_ID: "", "PREFECT_API_URL": address})  # as of an older version
    file = folder.path / "login"
    file.touch(0o600)
    with temporary_settings({PREFECT_API_URL: closed_server.api_url}):
        with pytest.raises(ApiRefusedError, match=f"requires a login: {NAMED}") as refused:
            submit("refresh-catalog")
        assert (str(file) in str(refused.value)) == own
        with pytest.raises(ApiRefusedError, match=NAMED):
            check_access()
    folder.remove_records()


def test_the_doctor_s_fix_is_that_of_the_refusal(closed_server: Server):
    with temporary_settings({PREFECT_API_URL: closed_server.api_url}):
        (found,) = [each for each in run_checks() if each.area == "prefect api"]
    assert found.message == f"The Prefect API {closed_server.api_url} requires a login"
    assert found.fix == "Set PREFECT_API_AUTH_STRING=user:password."


def test_the_exporter_says_so_once(closed_server: Server, capsys: pytest.CaptureFixture[str]):
    with temporary_settings({PREFECT_API_URL: closed_server.api_url}):
        state = CollectorState(WorkPools(api := PrefectApi(), CachedList(api, "work_pools")))
        state.collect()
        state.collect()
    assert capsys.readouterr().err.count(NAMED) == 1


def test_python_of_this_folder_finds_the_login_of_the_stack_that_runs(closed_server: Server):
    folder = StateFolder(settings().state_dir)
    folder.path.mkdir(parents=True, exist_ok=True)
    variables = {
        STACK_ID: "",
        "PREFECT_API_URL": closed_server.api_url,
        "PREFECT_API_AUTH_STRING": LOGIN,
    }
    folder.write_env(variables)
    try:
        with temporary_settings({PREFECT_API_URL: closed_server.api_url}):
            check_access()
            assert PrefectApi().count("flow_runs") == 0
            with api_client() as client:
                for name in ("written with a CSRF token", "and with the same one"):
                    client.create_flow_from_name(name)
    finally:
        folder.remove_records()


@attack(
    by="web page",
    what="Writes without Prefect's CSRF token to the server as `make up` starts it",
    answer="403",
)
def test_csrf_protection_is_on(closed_server: Server):
    answer = post_json(closed_server.port, "/api/automations/", {})
    assert answer.status == HTTPStatus.FORBIDDEN
    assert "CSRF" in answer.detail


@attack(
    by="API caller",
    what="A server that refuses in hostile words",
    answer="one printable line",
)
def test_a_refusal_is_one_line(closed_server: Server):
    with (
        temporary_settings(
            {PREFECT_API_URL: closed_server.api_url, PREFECT_API_AUTH_STRING: LOGIN}
        ),
        pytest.raises(ApiRefusedError, match=r"refused the request: Host 'evil\.example' is not"),
        api_client() as client,
    ):
        client.request("GET", "/health", headers={"Host": "evil.example"})


def test_the_doctor_is_content_with_a_login(closed_server: Server):
    with client_of(closed_server, LOGIN) as client:
        for check in (access.login, access.csrf, access.web_pages):
            assert problems(check(client)) == {}


def test_the_doctor_finds_what_is_open(bare_server: Server, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(access, "other_accounts", lambda: ["ann"])
    with client_of(bare_server) as client:
        found = problems(access.login(client))["login"]
        assert found.level == "warn"
        assert "runs commands as the worker's user (SECURITY.md); reachable by ann" in found.message
        assert "CSRF protection" in problems(access.csrf(client))
        monkeypatch.setattr(access, "other_accounts", list)
        assert problems(access.login(client)) == {}


@pytest.mark.usefixtures("prefect_api")
def test_the_doctor_knows_a_server_without_our_guard():
    with get_client(sync_client=True) as client:
        found = problems(access.web_pages(client))["requests of web pages"]
    assert "`python -m analytics_worker.server PORT`" in found.fix


@attack(
    by="network",
    what="Reach a server that was started by hand on every address, without a login or with an empty one",
    answer="it does not start",
)
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "PREFECT_SERVER_API_HOST=0.0.0.0 lets other hosts reach the API"),
        ({"PREFECT_SERVER_API_AUTH_STRING": ""}, "PREFECT_SERVER_API_AUTH_STRING is empty"),
        ({"SERVER_ALLOWED_HOSTS": "*"}, "SERVER_ALLOWED_HOSTS has '*'"),
    ],
)
def test_a_server_that_anybody_could_use_does_not_start(
    tmp_path, variables: dict[str, str], said: str
):
    everywhere = {"PREFECT_SERVER_API_HOST": "0.0.0.0", "PREFECT_HOME": str(tmp_path)}  # noqa: S104
    arguments = ["-m", "analytics_worker.server", str(free_port())]
    server = Process(arguments, {**everywhere, **variables}, tmp_path / "log")
    server.start()
    try:
        assert server._process
        assert server._process.wait(60) == 1
    finally:
        server.end()
    assert said in server.output()
    assert "Traceback" not in server.output()


def test_the_doctor_says_that_a_server_that_listens_everywhere_is_not_encrypted(
    closed_server: Server, bare_server: Server
):
    with client_of(closed_server, LOGIN) as client:
        found = problems(access.encryption(client))["encryption"]
    assert found.level == "warn"
    assert "the server listens on 0.0.0.0. Login and data are not encrypted" in found.message
    with client_of(bare_server) as client:
        assert problems(access.encryption(client)) == {}
