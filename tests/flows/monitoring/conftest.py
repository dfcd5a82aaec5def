"""What the monitoring tests share: a server that takes connections and never says a word."""

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
from analytics_worker.deployment.deploy import deploy, desired
from analytics_worker.settings import settings

DEPLOYMENT = "dbt-docs-generate/dbt"
Sql = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Port of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def sql(environment: str) -> Sql:
    """The test's database, as the worker's role."""

    def execute(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        url = make_url(environment)
        opened = psycopg2.connect(
            host=url.query["host"], user=url.username, password=url.password, dbname=url.database
        )
        with closing(opened) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch):
    """Set variables of the environment after the database is known."""

    def set_variables(**values: object) -> None:
        for name, value in values.items():
            monkeypatch.setenv(name.upper(), str(value))
        settings.cache_clear()
        connections.dispose()

    return set_variables


@pytest.fixture
def client(request: pytest.FixtureRequest):
    request.getfixturevalue("prefect_api")
    with get_client(sync_client=True) as opened:
        deploy(desired(), opened)
        yield opened


@pytest.fixture
def run(client: SyncPrefectClient):
    """Make a run of one of our deployments in a state; gone after the test."""
    made: list[Any] = []

    def make(state: State[Any]) -> Any:
        deployment = client.read_deployment_by_name(DEPLOYMENT)
        found = client.create_flow_run_from_deployment(deployment.id)
        client.set_flow_run_state(found.id, state, force=True)
        made.append(found.id)
        return client.read_flow_run(found.id)

    yield make
    for one in made:
        client.delete_flow_run(one)
