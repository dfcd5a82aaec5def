"""Migrate the worker's own tables in schema ``ops`` of the analytics database, and the reader role.

`upgrade` runs in one transaction, in one process at a time (a lock). Safe to repeat.
"""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg2 import Error as DriverError
from psycopg2 import errorcodes
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError

from analytics_worker.database.connections import direct_connection, direct_url, parse_url
from analytics_worker.database.schema_coverage import coverage_notes
from analytics_worker.database.schema_revision import is_newer, newer_message
from analytics_worker.database.urls import quoted_name
from analytics_worker.errors import PermanentError, sqlstate
from analytics_worker.migrations.grants import (
    create_sample_schemas,
    grant_select,
    grant_shared_views,
    missing_user_mappings,
    unreadable,
    withdraw,
)
from analytics_worker.migrations.reader import (
    Reader,
    check_login,
    prepare_reader,
    try_explicit_readers,
)
from analytics_worker.settings import settings
from analytics_worker.text import one_line

MINIMUM_SERVER_VERSION = 140000
MAX_NAMES = 5
LOCK_KEY = 0x6F70735F6D6967  # "ops_mig"


class MigrationError(PermanentError):
    """The database can't be upgraded; the message says what its owner must do."""


@dataclass(frozen=True)
class Migration:
    """What was made of a database."""

    revision: str
    notes: Sequence[str]
    """What its owner should know: what is not covered, what the reader can't read."""


def upgrade(url: str | URL | None = None, *, sample: bool = False) -> str:
    """Upgrade schema ``ops`` and the reader role; return the current revision. See `migrate`."""
    return migrate(url, sample=sample).revision


def migrate(
    url: str | URL | None = None, *, sample: bool = False, grant_reader: bool = False
) -> Migration:
    """Upgrade schema ``ops`` and the reader role in one transaction: all of it, or nothing.

    Args:
        url: The database; that of the settings by default.
        sample: Whether it is the database of the sample warehouse, whose schemas are created.
        grant_reader: Whether the role of READER_DATABASE_URL, which this worker did not make, is granted SELECT.

    Raises:
        MigrationError: the server is too old, or the user lacks a privilege.
        ReaderRoleError: the reader can't be created, or can't connect.
    """
    target = direct_url() if url is None else parse_url(url)
    notes = try_explicit_readers()
    with direct_connection(target) as connection, _privileges_named(connection):
        prepare_schema(connection)
        upgrade_schema(connection)
        reader = prepare_reader(connection, target)
        notes += [reader.note] if reader.note else []
        if sample:
            create_sample_schemas(connection, reader.role)
        notes += [] if sample else coverage_notes(connection)
        notes += _grant(connection, reader, grant_reader=grant_reader)
    check_login(reader)
    return Migration(head(), notes)


def prepare_schema(connection: Connection) -> None:
    """Create schema ``ops`` if it is missing, and lock out other migrations until the transaction ends.

    Raises:
        MigrationError: the server is too old, or the user lacks a privilege.
    """
    _check_server(connection)
    _acquire_lock(connection)
    if not connection.scalar(text("select to_regnamespace('ops')")):
        connection.execute(text("create schema ops"))


def upgrade_schema(connection: Connection, revision: str = "head") -> None:
    """Upgrade the tables to a revision; no effect if they are at it, or at a later one."""
    command.upgrade(_config(connection), revision)


def _grant(connection: Connection, reader: Reader, *, grant_reader: bool) -> list[str]:
    """Grant SELECT where the worker may; return a line for what was withdrawn, or can't be read."""
    known = text("select exists (select from pg_roles where rolname = :role)")
    if not connection.scalar(known, {"role": reader.role}):
        return [f"READER_DATABASE_URL: no role {reader.role!r} found on this server"]
    notes: list[str] = []
    if reader.is_ours or grant_reader:
        grant_select(connection, reader.role)
        grant_shared_views(connection, reader.role)
    if reader.is_ours and "analytics_schemas" in settings().model_fields_set:
        notes += withdraw(connection, reader.role)
    notes += unreadable(connection, reader.role)
    return notes + missing_user_mappings(connection, reader.role)


@contextmanager
def _privileges_named(connection: Connection) -> Generator[None]:
    """Translate a missing privilege into one line; the transaction is rolled back."""
    user, database = connection.execute(text("select current_user, current_database()")).one()
    try:
        yield
    except (ProgrammingError, DriverError) as error:
        if sqlstate(error) != errorcodes.INSUFFICIENT_PRIVILEGE:
            raise
        reason = one_line(str(getattr(error, "orig", None) or error))
        raise MigrationError(
            f"{user} lacks a privilege in database {database} ({reason}); nothing was changed."
            f" {_fix(connection.engine.url, reason, quoted_name(user))}"
        ) from None


def _fix(url: URL, reason: str, user: str) -> str:
    """Return what to do; a statement for each function that the user may not call has a line of its own."""
    denied = re.search(r"permission denied for function ([\w$]+)", reason)
    if denied:
        statement = text((Path(__file__).parent / "sql/missing_functions.sql").read_text())
        with direct_connection(url) as connection:  # the other one's transaction has failed
            grants = connection.scalars(statement, {"named": denied[1]}).all()
        return "\n".join(["An administrator has to run:", *grants])
    return (
        "The schema ops or its tables belong to another role: run this as that role, or let an"
        f" administrator run: GRANT that role TO {user};"
    )


def _acquire_lock(connection: Connection) -> None:
    """Lock out other processes: with the version table, or an advisory lock while that does not exist."""
    if connection.scalar(text("select to_regclass('ops.alembic_version')")):
        connection.execute(text("lock table ops.alembic_version in access exclusive mode"))
    else:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK_KEY})


def head() -> str:
    """Return the newest revision."""
    return cast("str", ScriptDirectory.from_config(_config()).get_current_head())


def known_revisions() -> list[str]:
    """Return all revisions, oldest first."""
    revisions = ScriptDirectory.from_config(_config()).walk_revisions()
    return [each.revision for each in revisions][::-1]


def current(connection: Connection) -> str | None:
    """Return the revision of a database; None if it was never migrated."""
    if not connection.scalar(text("select to_regclass('ops.alembic_version')")):
        return None
    return connection.scalar(text("select version_num from ops.alembic_version"))


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
    if not connection.scalar(text("select to_regnamespace('ops')")):
        _check_privilege(connection, "CREATE ON DATABASE")
    else:
        _check_privilege(connection, "USAGE, CREATE ON SCHEMA")
        _check_schema(connection)


def _check_schema(connection: Connection) -> None:
    """Refuse a schema ops that another application made, or a newer version of the worker."""
    statement = text((Path(__file__).parent / "sql/ops_owner.sql").read_text())
    found = connection.execute(statement).mappings().one()
    names = found["relations"]
    if not found["is_migrated"] and names:
        raise MigrationError(
            f"The schema ops exists and has other tables ({', '.join(names[:MAX_NAMES])}); nothing was"
            " changed. The worker's tables need a schema of this name: rename yours (ALTER SCHEMA ops"
            " RENAME TO …), or give the worker a database of its own"
        )
    revision = current(connection) if found["is_migrated"] else None
    if is_newer(revision):
        raise MigrationError(newer_message(revision))


def _check_privilege(connection: Connection, privilege: str) -> None:
    """Refuse to start without the privilege to create schema ops, or its tables."""
    statement = text((Path(__file__).parent / "sql/ops_privileges.sql").read_text())
    row = connection.execute(statement).mappings().one()
    of_database = privilege.endswith("DATABASE")
    if row["may_create_schema"] if of_database else row["may_create_tables"]:
        return
    what = "the schema ops" if of_database else "tables in the schema ops, which exists,"
    name = row["database"] if of_database else "ops"
    raise MigrationError(
        f"{row['user_name']} may not create {what} in database {row['database']}; nothing was changed."
        f" {row['database_owner'] if of_database else row['schema_owner']} has to run: GRANT {privilege}"
        f" {quoted_name(name)} TO {quoted_name(row['user_name'])};"
    )
