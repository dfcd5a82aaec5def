"""Back up and restore databases of tests, and compare their rows."""

import hashlib
import itertools
import json
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from sqlalchemy import make_url
from typer.testing import CliRunner

from analytics_worker.backup.manifest import MANIFEST
from analytics_worker.cli import app
from analytics_worker.database import connections
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.cluster import OWNER
from tests.support.postgres import administer, database_on

_numbers = itertools.count(1)
RULE = "insert into ops.alert_rules (kind, name, definition, every) values ('alert', %s, %s, '2m')"
CHANGE = "insert into ops.catalog_changes (schema_name, relation_name, change, before, after) values (%s, %s, 'relation appeared', %s, %s)"
STATE = (
    "insert into ops.alert_states (rule_id, key, since, status, value, worst, changes)"
    " select id, %s, 'infinity', 'firing', %s, '-Infinity', array[now(), 'epoch'] from ops.alert_rules"
)
ODD_TEXTS = ["", "\\N", "\\.", "a\tb\\c", "line\r\nend\x7f", "Grüße 你好 🦊", "null", "'\"{,}"]


@contextmanager
def connected(url: str) -> Generator[Any]:
    """Open a transaction on a connection of its own, without the worker's names for sessions."""
    address = make_url(url).set(drivername="postgresql")
    connection = psycopg2.connect(address.render_as_string(hide_password=False))
    try:
        with connection.cursor() as cursor:
            yield cursor
        connection.commit()
    finally:
        connection.close()


def execute(url: str, statement: Any, *parameters: Any) -> list[Any]:
    """Run a statement, which commits; return its rows."""
    with connected(url) as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def fill(url: str) -> None:
    """Write rows with values that are hard to copy."""
    for number, each in enumerate(ODD_TEXTS):
        execute(url, CHANGE, each, f"r{number}", each, None)
    execute(url, RULE, "r", json.dumps({"sql": "select '\\\\\t\n'", "n": 0.1}))
    for key, value in (
        ("", "NaN"),
        ("[1]", "0.30000000000000004"),
        ("[2]", "1e400"),
        ("[3]", None),
    ):
        execute(url, STATE, key, value)


def rows(url: str, besides: tuple[str, ...] = ()) -> dict[str, list[str]]:
    """Return all rows of all tables of schema ops as text."""
    names = execute(
        url,
        "select relname from pg_class where relnamespace = 'ops'::regnamespace and relkind = 'r'",
    )
    return {
        name: sorted(row for (row,) in execute(url, f'select t::text from ops."{name}" as t'))
        for (name,) in names
        if name not in besides
    }


def command(*arguments: object) -> Any:
    """Run ``analytics-worker`` in this process, without the sessions that this test has left."""
    connections.dispose()
    variables = dict(os.environ)  # commands set some
    try:
        result = CliRunner().invoke(app, [str(each) for each in arguments])
    finally:
        os.environ.clear()
        os.environ.update(variables)
    assert isinstance(result.exception, SystemExit | None), result.exception
    assert "Traceback" not in result.output
    return result


def succeed(*arguments: object) -> Any:
    result = command(*arguments)
    assert result.exit_code == 0, result.output
    return result


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest of a backup, with a valid checksum."""
    path = folder / MANIFEST
    content = json.loads(path.read_text())
    del content["sha256"]
    change(content)
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    path.write_text(json.dumps(content | {"sha256": digest}))


@pytest.fixture
def new_database(postgres: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], str]]:
    """Let the settings name an empty database, not even migrated; return its URL."""
    made: list[str] = []

    def create() -> str:
        name = f"restored_{os.getpid()}_{next(_numbers)}"
        administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
        made.append(name)
        monkeypatch.setenv("DATABASE_URL", database_on(postgres, name))
        settings.cache_clear()
        connections.dispose()
        return database_on(postgres, name)

    yield create
    connections.dispose()
    for name in made:
        administer(postgres, "drop database {name} with (force)", name=name)
