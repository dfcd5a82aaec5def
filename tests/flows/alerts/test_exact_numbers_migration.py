"""The migration to exact numbers keeps values and privileges."""

import os
import subprocess
import sys

import pytest

from analytics_worker.stack.postgres.cluster import OWNER
from tests.flows.alerts.rules import execute, query
from tests.support.postgres import administer, database_on
from tests.support.revisions import upgrade_to


@pytest.fixture
def database_url(postgres):
    """Return a database of the previous version."""
    name = f"digits_{os.getpid()}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    upgrade_to(database_on(postgres, name), "0020_sendable_deliveries")
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


@pytest.mark.usefixtures("environment")
def test_stored_values_and_privileges_survive_the_migration(database_url):
    execute(
        "insert into ops.alert_rules (kind, name, definition, every) values ('alert', 'r', '{}', '2m')"
    )
    execute(
        "insert into ops.alert_states (rule_id, key, since, status, value, worst)"
        " select id, '', now(), 'firing', 0.30000000000000004, '-infinity' from ops.alert_rules"
    )
    execute("grant select on ops.alert_status to public")
    upgrade_to(database_url, "head")
    assert query("select cast(value as text) from ops.alert_status") == ["0.30000000000000004"]
    assert query("select cast(worst as text) from ops.alert_states") == ["-Infinity"]
    assert query(
        "select has_table_privilege('analytics_reader', 'ops.alert_status', 'select')"
    ) == [True]


@pytest.mark.usefixtures("environment", "database_url")
def test_a_view_of_a_user_is_named_and_nothing_is_changed():
    execute("create view public.mine as select name, value from ops.alert_status")
    command = [sys.executable, "-m", "analytics_worker.cli", "migrate"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        "error: The database refused: cannot drop view ops.alert_status because other objects depend on it"
        " (view mine depends on view ops.alert_status): drop them, run the command again, and create them again\n"
    )
    assert query("select version_num from ops.alembic_version") == ["0020_sendable_deliveries"]
