"""Fixtures of the monitoring tests: runs in any state, what the flow notifies, a server that never answers."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from prefect import get_client
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.objects import State
from sqlalchemy import make_url

from analytics_worker.database import connections
from analytics_worker.deployment.deploy import deploy, desired_state
from analytics_worker.prefect_support.results import RunFailed
from analytics_worker.settings import settings
from flows.monitoring import collect_worker_metrics
from tests.flows.monitoring.drift import create_shop
from tests.flows.monitoring.incidents import Incidents, Warehouse
from tests.flows.monitoring.promises import Promises
from tests.support.http_sink import HttpSink

DEPLOYMENT = "dbt-docs-generate/dbt"
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Return the port of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def sql(environment: str) -> Sql:
    """Execute SQL in the test's database as the worker's role."""

    def execute(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        url = make_url(environment)
        session = psycopg2.connect(
            host=url.query["host"], user=url.username, password=url.password, dbname=url.database
        )
        with closing(session) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch):
    """Set environment variables after the database is configured."""

    def set_variables(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name.upper(), str(value))
        settings.cache_clear()
        connections.dispose()

    return set_variables


@pytest.fixture
def client(request: pytest.FixtureRequest):
    request.getfixturevalue("prefect_api")
    with get_client(sync_client=True) as api:
        deploy(desired_state(), api)
        yield api


@pytest.fixture
def run(client: SyncPrefectClient):
    """Create runs of one of our deployments in a given state; delete them after the test."""
    run_ids: list[Any] = []

    def create(state: State[Any]) -> Any:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        flow_run = client.create_flow_run_from_deployment(deployment.id)
        client.set_flow_run_state(flow_run.id, state, force=True)
        run_ids.append(flow_run.id)
        return client.read_flow_run(flow_run.id)

    yield create
    for run_id in run_ids:
        client.delete_flow_run(run_id)


def collect() -> dict[str, object]:
    """Run the flow and return its result, in every state."""
    try:
        return dict(collect_worker_metrics())
    except RunFailed as failed:
        return dict(failed.result or {})


@pytest.fixture
def notified_events(variables, http_sink: HttpSink, run, sql) -> Callable[[], list[str]]:  # noqa: ARG001  # deploys
    """Run the flow and return the events that it sent to the webhook."""
    variables(alert_webhook_url=http_sink.url)
    collect_worker_metrics()  # processes runs of other tests
    http_sink.requests.clear()

    def collect_events() -> list[str]:
        collect_worker_metrics()
        events = [posted.json["event"] for posted in http_sink.requests]
        http_sink.requests.clear()
        return events

    return collect_events


@pytest.fixture
def promises(sql, variables, monkeypatch, tmp_path) -> Promises:
    """Look how promises stand, with trust.yml and calendar.yml of this test."""
    folder = tmp_path / "definitions"
    folder.mkdir()
    for module in ("completeness.trust_file", "calendars.working_days"):
        monkeypatch.setattr(f"analytics_worker.{module}.project_root", lambda: tmp_path)
    variables(alert_webhook_url="http://127.0.0.1:1/")
    return Promises(sql, folder)


@pytest.fixture
def units(sql: Sql) -> Warehouse:
    """Return the warehouse whose units fail and work."""
    return Warehouse(sql)


@pytest.fixture
def incidents(sql: Sql, variables: Callable[..., None]) -> Incidents:
    """Return the incidents, with a webhook that does not answer."""
    variables(alert_webhook_url="http://127.0.0.1:1/")
    return Incidents(sql)


@pytest.fixture
def shop(sql: Sql) -> None:
    """Create a table, and what reads it."""
    create_shop(sql)
