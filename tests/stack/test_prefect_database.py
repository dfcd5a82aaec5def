"""A new server starts from the database that was migrated in advance, and not from another user's file."""

import sqlite3
from contextlib import closing

import pytest

from analytics_worker.stack.server_database_template import start_from_template


def test_a_new_home_has_nothing_left_to_prepare_and_an_old_one_has(tmp_path):
    assert start_from_template(tmp_path, {})
    assert start_from_template(tmp_path, {})
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as database, database:
        database.execute("update alembic_version set version_num = 'of an older Prefect'")
    assert not start_from_template(tmp_path, {})


def test_a_migration_that_was_interrupted_is_done_again(tmp_path):
    (tmp_path / "prefect.db").touch()
    assert not start_from_template(tmp_path, {})


@pytest.mark.parametrize(
    "name",
    ["PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_HOST", "PREFECT_HOME"],
)
def test_a_database_that_is_elsewhere_prepares_itself(tmp_path, name):
    assert not start_from_template(tmp_path, {name: "set"})
    assert not (tmp_path / "prefect.db").exists()
