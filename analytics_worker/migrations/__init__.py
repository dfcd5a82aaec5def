"""The worker's own tables: schema ``ops`` of the analytics database, and the role that only reads.

`upgrade` brings a database up to date: one process at a time (a lock), all or nothing, and
safe to repeat.
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
    """The database can't be brought up to date; says what its owner must do."""


def upgrade(url: str | URL | None = None) -> str:
    """Bring schema ``ops`` and the reader role up to date; the revision that is in place then.

    Args:
        url: The database; default is the one that the settings name.

    Raises:
        MigrationError: the server is too old, or the user may not do what is needed.
    """
    target = warehouse_url() if url is None else parse_url(str_of(url))
    with direct_connection(target) as connection:
        _check_server(connection)
        _take_turn(connection)
        connection.execute(text("create schema if not exists ops"))
        command.upgrade(_config(connection), "head")
    ensure_reader(target)
    return head()


def _take_turn(connection: Connection) -> None:
    """One process at a time. Anybody can hold an advisory lock: later there is a table to lock."""
    if connection.scalar(text("select to_regclass('ops.alembic_version')")):
        connection.execute(text("lock table ops.alembic_version in access exclusive mode"))
    else:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def head() -> str:
    """The newest revision there is."""
    return cast("str", ScriptDirectory.from_config(_config()).get_current_head())


def current(connection: Connection) -> str | None:
    """The revision of a database; None if it was never migrated."""
    if not connection.scalar(text("select to_regclass('ops.alembic_version')")):
        return None
    return connection.scalar(text("select version_num from ops.alembic_version"))


def str_of(url: str | URL) -> str:
    """The URL as text, password included."""
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
