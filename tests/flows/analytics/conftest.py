"""What the analytics tests share: SQL by short-lived sessions, and retries without delay."""

from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class
from sqlalchemy import make_url

from analytics_worker.database import connections
from analytics_worker.settings import settings
from flows.analytics import _cancellation, materialized_views, query_statistics
from flows.analytics.catalog import upsert_catalog
from flows.analytics.refresh_log import delete_expired

RETRYING = (
    upsert_catalog,
    delete_expired,
    materialized_views.find_views,
    materialized_views.detect_changes,
    materialized_views.refresh_view,
    materialized_views.record_skipped,
    query_statistics.analyze_relations,
    query_statistics.snapshot_statements,
)

Sql = Callable[..., list[tuple[Any, ...]]]  # in a session of its own, counted as it ends


def connect(url: str) -> Connection:
    """An autocommitting session."""
    parts = make_url(url)
    connection = psycopg2.connect(
        host=parts.query["host"],
        port=parts.query.get("port"),
        user=parts.username,
        password=parts.password,
        dbname=parts.database,
    )
    connection.autocommit = True
    return connection


def run(connection: Connection, statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    """Rows of the last statement, if it returns any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []


def _flush_statistics(connection: Connection) -> None:
    """Let the server's statistics include what the session did; PostgreSQL 14 does so within half a second."""
    if connection.info.server_version >= 150_000:
        run(connection, "select pg_stat_force_next_flush()")
    else:
        run(connection, "select pg_sleep(0.6)")
        run(connection, "select 1")
        run(connection, "select pg_sleep(0.6)")


@pytest.fixture
def sql(environment: str) -> Sql:
    """The test's database, as the worker's role; the server's statistics include each statement."""

    def execute(statement: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        with closing(connect(environment)) as connection:
            rows = run(connection, statement, parameters)
            _flush_statistics(connection)
            return rows

    return execute


@pytest.fixture
def session(environment: str):
    """A session that stays open, as an application's does."""
    with closing(connect(environment)) as connection:
        yield connection


@pytest.fixture
def superuser(environment: str, postgres):
    """The test's database, as superuser."""
    name = make_url(environment).database
    url = make_url(postgres.superuser_url).set(database=name)
    with closing(connect(url.render_as_string(hide_password=False))) as connection:
        yield lambda statement: run(connection, statement)


@pytest.fixture(autouse=True)
def no_delay(monkeypatch: pytest.MonkeyPatch):
    """Tries again at once."""
    for task in RETRYING:
        monkeypatch.setattr(task, "retry_delay_seconds", [0, 0, 0][: task.retries])


@pytest.fixture
def running_statements():
    """A run, for what is called without its flow."""
    current = _cancellation.RunningStatements()
    token = _cancellation.current.set(current)
    yield current
    _cancellation.current.reset(token)


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch):
    """Set variables of the environment after the database is known."""

    def set_variables(**variables: object) -> None:
        for name, value in variables.items():
            monkeypatch.setenv(name.upper(), str(value))
        settings.cache_clear()
        connections.dispose()

    return set_variables
