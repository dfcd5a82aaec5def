"""A real PostgreSQL for the tests: one server a session, one fresh migrated database a test.

The databases are copies of a template, which takes about 30 ms; the server does not sync its files.
"""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2 import sql
from sqlalchemy import make_url

from analytics_worker.settings import settings
from analytics_worker.stack.postgres.cluster import CREATE_OWNER, OWNER
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from tests.support.postgres_versions import server_of_tests

TEMPLATE = "analytics_template"
_numbers = itertools.count(1)


def administer(
    postgres: EmbeddedPostgres, statement: str, *, database: str | None = None, **names: str
) -> None:
    """Run a statement as superuser outside any transaction; `names` are identifiers."""
    url = make_url(postgres.superuser_url)
    url = url.set(database=database or url.database)
    connection = psycopg2.connect(
        host=url.query["host"], user=url.username, password=url.password, dbname=url.database
    )
    connection.autocommit = True
    try:
        identifiers = {name: sql.Identifier(value) for name, value in names.items()}
        connection.cursor().execute(sql.SQL(statement).format(**identifiers))
    finally:
        connection.close()


@pytest.fixture
def usual_grants(postgres: EmbeddedPostgres, environment: str) -> None:
    """Let all users call the functions that only the embedded PostgreSQL revokes."""
    grant = re.search(r"grant execute[^;]+\sto analytics", CREATE_OWNER.read_text())
    assert grant
    statement = grant[0].replace("to analytics", "to public")
    administer(postgres, statement, database=make_url(environment).database)


def database_on(postgres: EmbeddedPostgres, name: str) -> str:
    """URL of a database of the session's server, for the role that owns it."""
    return make_url(postgres.url).set(database=name).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """One PostgreSQL for the whole session."""
    with server_of_tests(tmp_path_factory.mktemp("postgres")) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """Return the name of a migrated database to copy, without open connections."""
    from analytics_worker.migrations import upgrade  # noqa: PLC0415  # Prefect takes a second to import

    administer(postgres, "create database {name} owner {owner}", name=TEMPLATE, owner=OWNER)
    upgrade(database_on(postgres, TEMPLATE), sample=True)
    return TEMPLATE


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """Return the URL of a new, migrated database for one test."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    copy = "create database {name} owner {owner} template {template}"
    administer(postgres, copy, name=name, owner=OWNER, template=template_database)
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


@pytest.fixture
def environment(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The worker's settings point at the fresh database and at a state folder of this test."""
    from analytics_worker.database import connections  # noqa: PLC0415  # Prefect takes a second to import

    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    settings.cache_clear()
    connections.dispose()
    yield database_url
    connections.dispose()
    settings.cache_clear()
