"""From each revision of schema ops, with rows in every table and status, to the newest: no row is lost."""

import json
import os

import pytest

from analytics_worker.database import connections
from analytics_worker.delivery import deliver_due
from analytics_worker.migrations import head, known_revisions, upgrade
from analytics_worker.stack.postgres.cluster import OWNER
from tests.support.any_rows import fill_every_table
from tests.support.backups import execute
from tests.support.postgres import administer, database_on
from tests.support.revisions import upgrade_to

REPLACED = {
    "alert_deliveries": ("id", "status", "recipient", "attempts", "created_at"),
    "report_deliveries": ("id", "status", "recipient", "attempts", "created_at"),
    "deployment_notices": ("id", "status", "recipient", "attempts", "created_at"),
}
"""Tables that became views, and what they show as before."""
CHANGED = {"deliveries": {"notice_id"}, "unit_reads": {"updated_at"}}
"""Columns that a migration sets on purpose: that what had failed before was notified then, and what is planned again."""


@pytest.fixture(scope="module")
def database(postgres):
    """The database of all these tests: a new one for each would take seconds."""
    name = f"upgrades_{os.getpid()}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    yield database_on(postgres, name)
    connections.dispose()
    administer(postgres, "drop database {name} with (force)", name=name)


@pytest.fixture
def database_url(database):
    """Let the settings name it."""
    execute(database, "drop schema if exists ops cascade")
    return database


def shown(url, columns):
    """Return the rows of tables, or views, with these columns."""
    found = {}
    for name, wanted in columns.items():
        fields = ", ".join(f"'{each}', t.\"{each}\"" for each in wanted)
        rows = execute(url, f"select jsonb_build_object({fields}) from ops.{name} as t")
        found[name] = only([row for (row,) in rows], wanted)
    return found


def columns(url):
    """Return the columns of each relation of schema ops."""
    rows = execute(
        url,
        "select relname::text, array_agg(attname::text order by attnum) from pg_class"
        " join pg_attribute on attrelid = pg_class.oid and attnum > 0 and not attisdropped"
        " where relnamespace = 'ops'::regnamespace and relkind in ('r', 'v') group by 1",
    )
    return dict(rows)


@pytest.mark.parametrize("revision", known_revisions())
@pytest.mark.usefixtures("deliveries")
def test_no_row_is_lost(database_url, http_sink, revision):
    upgrade_to(database_url, revision)
    tables = fill_every_table(database_url)
    waiting = waiting_messages(database_url, tables)
    old = columns(database_url)
    before = shown(database_url, {name: old[name] for name in tables})
    assert upgrade() == head()
    new = columns(database_url)
    kept = {
        name: REPLACED.get(name)
        or [each for each in old[name] if each in {*new[name]} - CHANGED.get(name, set())]
        for name in tables
    }
    after = shown(database_url, kept)
    old_rows = {name: only(rows, kept[name]) for name, rows in before.items()}
    lost = {
        name: [row for row in rows if row not in after[name]] for name, rows in old_rows.items()
    }
    assert {name: rows for name, rows in lost.items() if rows} == {}
    deliver_due()
    assert len(http_sink.requests) == waiting


def only(rows, names):
    """Return the rows with these columns only."""
    return sorted(({name: row[name] for name in names} for row in rows), key=json.dumps)


def waiting_messages(url, tables):
    """Return how many messages are to be sent."""
    outboxes = [name for name in (*REPLACED, "deliveries") if name in tables]
    statement = "select count(*) from ops.{} where status in ('pending', 'sending')"
    return sum(execute(url, statement.format(name))[0][0] for name in outboxes)
