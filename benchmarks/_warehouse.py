"""A PostgreSQL of its own for one measurement."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class
from sqlalchemy import make_url

from analytics_worker.database import connections
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.server import EmbeddedPostgres


@contextmanager
def fresh_warehouse() -> Generator[str]:
    """URL of an empty, migrated database that the settings point at, too."""
    before = dict(os.environ)
    with (
        tempfile.TemporaryDirectory() as directory,
        EmbeddedPostgres(Path(directory) / "data") as postgres,
    ):
        os.environ |= {"DATABASE_URL": postgres.url, "STATE_DIR": f"{directory}/state"}
        settings.cache_clear()
        connections.dispose()
        upgrade(sample=True)
        yield postgres.url
        connections.dispose()
    os.environ.clear()
    os.environ.update(before)
    settings.cache_clear()


def connect(url: str) -> Connection:
    """A new connection, as a plain script makes one; each statement commits."""
    parts = make_url(url)
    connection = psycopg2.connect(
        host=parts.query["host"],
        user=parts.username,
        password=parts.password,
        dbname=parts.database,
    )
    connection.autocommit = True
    return connection


def execute(
    connection: Connection, statement: str, parameters: Any = None
) -> list[tuple[Any, ...]]:
    """Rows, if there are any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall() if cursor.description else []
