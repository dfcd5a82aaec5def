"""Bring a test's database to a revision that is not among the active ones."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text

from analytics_worker import migrations
from analytics_worker.database.connections import direct, parse_url

FOLDER = Path(migrations.__file__).parent


def switch(url: str) -> None:
    """Apply the revisions of ``migrations/next``, as `migrations.upgrade` does: in one transaction."""
    with direct(parse_url(url)) as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": migrations.LOCK_KEY})
        config = Config()
        config.set_main_option("script_location", str(FOLDER))
        config.set_main_option("path_separator", "os")
        config.set_main_option("version_locations", f"{FOLDER}/versions:{FOLDER}/next")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
