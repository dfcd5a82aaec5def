"""Bring a test's database to a revision that is not the newest."""

from alembic import command
from sqlalchemy import text

from analytics_worker import migrations
from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.migrations.reader import prepare_reader

BEFORE_SWITCH = "0008_delivery"


def upgrade_to(url: str, revision: str) -> None:
    """Do what `migrations.upgrade` does, up to a revision: in one transaction, one process at a time."""
    with direct_connection(parse_url(url)) as connection:
        connection.execute(text("create schema if not exists ops"))
        migrations._acquire_lock(connection)
        command.upgrade(migrations._config(connection), revision)
        prepare_reader(connection, parse_url(url))


def switch(url: str) -> None:
    """Move the three outboxes, and do what came after."""
    upgrade_to(url, "head")
