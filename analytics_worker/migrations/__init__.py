"""Migrate the worker's own tables in schema ``ops`` of the analytics database, and the reader role.

`upgrade` runs in one transaction, in one process at a time (a lock). Safe to repeat.
"""

from pathlib import Path
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from analytics_worker.database.connections import direct_connection, parse_url, warehouse_url
from analytics_worker.errors import PermanentError
from analytics_worker.migrations.reader import ensure_reader

MINIMUM_SERVER_VERSION = 140000
LOCK_KEY = 0x6F70735F6D6967  # "ops_mig"


class MigrationError(PermanentError):
    """The database can't be upgraded; the message says what its owner must do."""


def upgrade(url: str | URL | None = None) -> str:
    """Upgrade schema ``ops`` and the reader role; return the current revision.

    Args:
        url: The database; that of the settings by default.

    Raises:
        MigrationError: the server is too old, or the user lacks a privilege.
    """
    target = warehouse_url() if url is None else parse_url(url_text(url))
    with direct_connection(target) as connection:
        _check_server(connection)
        _acquire_lock(connection)
        connection.execute(text("create schema if not exists ops"))
        command.upgrade(_config(connection), "head")
    ensure_reader(target)
    return head()


def _acquire_lock(connection: Connection) -> None:
    """Lock out other processes: with the version table, or an advisory lock while that does not exist."""
    if connection.scalar(text("select to_regclass('ops.alembic_version')")):
        connection.execute(text("lock table ops.alembic_version in access exclusive mode"))
    else:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def head() -> str:
    """Return the newest revision."""
    return cast("str", ScriptDirectory.from_config(_config()).get_current_head())


def current(connection: Connection) -> str | None:
    """Return the revision of a database; None if it was never migrated."""
    if not connection.scalar(text("select to_regclass('ops.alembic_version')")):
        return None
    return connection.scalar(text("select version_num from ops.alembic_version"))


def url_text(url: str | URL) -> str:
    """Return the URL as text with the password."""
    return url if isinstance(url, str) else url.render_as_string(hide_password=False)


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config


def _check_server(connection: Connection) -> None:
    version = int(connection.scalar(text("show server_version_num")) or 0)
    if version < MINIMUM_SERVER_VERSION:
        raise MigrationError(
            f"PostgreSQL {version // 10000} is too old; this worker needs version"
            f" {MINIMUM_SERVER_VERSION // 10000} or newer."
        )
    if not connection.scalar(
        text("select has_database_privilege(current_database(), 'create')")
    ) and not connection.scalar(text("select to_regnamespace('ops')")):
        user, database = connection.execute(text("select current_user, current_database()")).one()
        raise MigrationError(
            f"{user} may not create the schema ops in database {database}. Its owner has to run:"
            f' GRANT CREATE ON DATABASE "{database}" TO "{user}";'
        )
