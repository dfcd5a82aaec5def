"""Run the product's Prefect server with only its request guard, for tests that attack it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prefect import flow, get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.settings import PREFECT_API_AUTH_STRING, PREFECT_API_URL, temporary_settings

from analytics_worker.stack.environment import defaults
from analytics_worker.stack.server_database_template import SKIP_PREPARATION, start_from_template
from tests.support.processes import Server

LOGIN = "admin:of the tests"
PROXY = "analytics.example.com"
EVENT = "analytics.report.requested"


def start_server(home: Path, **settings: str) -> Server:
    """A server on a new home, without a login and without CSRF protection unless asked for."""
    home.mkdir(parents=True, exist_ok=True)
    prepared = SKIP_PREPARATION if start_from_template(home, {}) else {}
    return Server(home, PREFECT_SERVER_UI_API_URL="/api", **prepared, **settings)


@pytest.fixture(scope="module")
def bare_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Neither login nor CSRF protection: what is refused, the guard refuses."""
    with start_server(tmp_path_factory.mktemp("bare") / "prefect") as server:
        yield server


@pytest.fixture(scope="module")
def closed_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """As `make up` starts one for other hosts: CSRF protection, a login, and a name of a proxy."""
    csrf = "PREFECT_SERVER_CSRF_PROTECTION_ENABLED"
    own = {
        csrf: defaults(4200)[csrf],
        "PREFECT_SERVER_API_AUTH_STRING": LOGIN,
        "PREFECT_SERVER_API_HOST": "0.0.0.0",  # noqa: S104  # with a login
        "SERVER_ALLOWED_HOSTS": PROXY,
    }
    with start_server(tmp_path_factory.mktemp("closed") / "prefect", **own) as server:
        yield server


def own_host(server: Server) -> str:
    """What a program of this host sends as Host."""
    return f"127.0.0.1:{server.port}"


def client_of(server: Server, login: str | None = None) -> Any:
    """Prefect's own client for it, as a context manager."""
    with temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_API_AUTH_STRING: login}):
        return get_client(sync_client=True)


def command_automation(client: SyncPrefectClient) -> dict[str, Any]:
    """The body that had a shell command run: an automation that runs a deployment."""
    flow_id = client.create_flow(_victim)
    deployment = client.create_deployment(flow_id, name="victim")
    action = {
        "type": "run-deployment",
        "source": "selected",
        "deployment_id": str(deployment),
        "job_variables": {"command": "sh -c 'id > /tmp/owned'"},
    }
    trigger = {"type": "event", "posture": "Reactive", "threshold": 1, "within": 0}
    return {"name": "owned", "trigger": {**trigger, "expect": [EVENT]}, "actions": [action]}


def foreign_event(event_id: str) -> dict[str, Any]:
    """The body that had foreign SQL run: an event that asks for a report."""
    return {
        "id": event_id,
        "occurred": "2026-11-29T00:00:00Z",
        "event": EVENT,
        "resource": {"prefect.resource.id": "a-page"},
        "payload": {"report_data": {"name": "x", "query": "select 1", "format": "csv"}},
    }


def traces(client: SyncPrefectClient) -> list[str]:
    """What attacks have left: automations, events, runs."""
    automations = [automation.name for automation in client.read_automations()]
    query = {"filter": {"event": {"name": [EVENT]}}, "limit": 50}
    events: list[Any] = client.request("POST", "/events/filter", json=query).json()["events"]
    runs = [run.name for run in client.read_flow_runs()]
    return [*automations, *(event["event"] for event in events), *runs]


@flow(name="victim")
def _victim() -> None: ...
