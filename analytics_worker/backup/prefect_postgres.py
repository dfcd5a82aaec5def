"""Back up and restore the tables of a Prefect server on PostgreSQL, in one transaction.

Prefect's own migrations create the tables in an empty database. Other tables of the same schema and owner are copied,
too, and restored where they exist.
"""

import os
import subprocess
import sys
from pathlib import Path

from prefect import __version__ as prefect_version
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from analytics_worker.backup.database_copy import Say, copy_in, copy_out, revision, snapshot
from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.folder import BackupFolder
from analytics_worker.backup.manifest import DatabaseCopy, PrefectCopy
from analytics_worker.database.connections import direct_connection
from analytics_worker.settings import settings
from analytics_worker.stack.environment import DATABASE_URLS, database_variables
from analytics_worker.stack.prefect_database import for_psycopg2
from analytics_worker.text import one_line

SCHEMA = "select coalesce(current_schema(), 'public')"
USED = "select exists (select from deployment) or exists (select from flow_run)"
SESSIONS = (
    "select count(*) from pg_stat_activity where datname = current_database()"
    " and usename = current_user and pid <> pg_backend_pid()"
)
MIGRATE_SECONDS = 240


def back_up_postgres(url: str, folder: BackupFolder, say: Say) -> PrefectCopy:
    """Copy the tables of a server, which may be running."""
    target = for_psycopg2(url)
    schema = _schema(target)
    with snapshot(target, schema) as connection:
        copied = copy_out(connection, schema, folder, say, part="prefect")
    return PrefectCopy(
        kind="postgresql",
        prefect_version=prefect_version,
        revision=copied.revision,
        copied=copied,
    )


def restore_postgres(
    url: str, copied: DatabaseCopy, folder: Path, say: Say, *, replace: bool
) -> list[str]:
    """Replace the tables of a server, which are created if they are missing; return notes.

    Raises:
        BackupError: they have data or another revision, or a server is connected.
    """
    target = for_psycopg2(url)
    schema = _schema(target)
    with direct_connection(target) as connection:
        _check_sessions(connection)
        is_new = revision(connection, schema) is None
    if is_new:
        _migrate(url, copied.revision)
    with direct_connection(target) as connection:
        connection.execute(
            text(f"set local lock_timeout = {settings().lock_timeout_seconds * 1000}")
        )
        _check_target(connection, revision(connection, schema), copied, replace=replace)
        left_out = copy_in(connection, schema, copied, folder, say)
    return [f"{schema}.{name} is not a table of Prefect: not restored" for name in left_out]


def _check_sessions(connection: Connection) -> None:
    if count := int(connection.scalar(text(SESSIONS)) or 0):
        raise BackupError(
            f"Other sessions use the database of the Prefect server ({count}); the analytics database was not"
            " changed. Stop the servers on all hosts first"
        )


def _check_target(
    connection: Connection, found: str | None, copied: DatabaseCopy, *, replace: bool
) -> None:
    if found != copied.revision:
        raise BackupError(
            f"The database of the Prefect server is at revision {found}, the backup at {copied.revision};"
            " nothing was changed. Restore it into an empty database: the tables are created there"
        )
    if not replace and connection.scalar(text(USED)):
        raise BackupError(
            "The database of the Prefect server has data already; nothing was changed. Use --replace to replace it"
        )


def _migrate(url: str, wanted: str) -> None:
    """Create the tables at a revision, with Prefect's own migrations."""
    command = [sys.executable, "-m", "prefect", "server", "database", "upgrade", "-y", "-r", wanted]
    own = database_variables({DATABASE_URLS[0]: url})
    environment = os.environ | own  # noqa: TID251  # Prefect's own variables
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=MIGRATE_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines() or ["no output"]
        raise BackupError(f"Prefect can't create its tables: {one_line(lines[-1])}")


def _schema(url: URL) -> str:
    with direct_connection(url) as connection:
        return str(connection.scalar(text(SCHEMA)))
