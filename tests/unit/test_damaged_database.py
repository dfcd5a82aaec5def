"""A damaged database of the Prefect server is kept aside, and the stack starts with a new one."""

import sqlite3
from contextlib import closing

import pytest

from analytics_worker.stack.damaged_database import set_damaged_aside


@pytest.fixture
def database(tmp_path):
    """A database with some pages."""
    path = tmp_path / "prefect.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table run (name text)")
        connection.executemany("insert into run values (?)", [("x" * 500,)] * 500)
        connection.commit()
    return path


def overwritten(content, start, end):
    return content[:start] + b"\xff" * (end - start) + content[end:]


DAMAGE = {
    "text": lambda _: b"not a database",
    "header": lambda content: overwritten(content, 0, 100),
    "schema": lambda content: overwritten(content, 100, 4096),
    "a page": lambda content: overwritten(content, 4096, 8192),
    "half of it": lambda content: content[: len(content) // 2],
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_database_is_kept_aside(database, damage):
    damaged = DAMAGE[damage](database.read_bytes())
    database.write_bytes(damaged)
    (line,) = set_damaged_aside(database.parent, {})
    (kept,) = database.parent.iterdir()
    assert kept.read_bytes() == damaged
    assert kept.name.startswith("prefect.db.damaged-2")
    assert f"{database} is damaged" in line
    assert f"kept as {kept.name}, and a new one was created" in line
    assert line.isprintable()


@pytest.mark.parametrize("content", [None, b""], ids=["as it was", "empty"])
def test_a_sound_database_stays(database, content):
    if content is not None:
        database.write_bytes(content)
    assert set_damaged_aside(database.parent, {}) == []
    assert [file.name for file in database.parent.iterdir()] == ["prefect.db"]


def test_no_database_is_not_a_damaged_one(tmp_path):
    assert set_damaged_aside(tmp_path, {}) == []


def test_a_database_somewhere_else_is_left_alone(database):
    database.write_bytes(b"not a database")
    assert set_damaged_aside(database.parent, {"PREFECT_HOME": "/elsewhere"}) == []
    assert database.exists()


def test_a_locked_database_is_not_a_damaged_one(database):
    with closing(sqlite3.connect(database)) as other:
        other.execute("begin exclusive")
        assert set_damaged_aside(database.parent, {}) == []
