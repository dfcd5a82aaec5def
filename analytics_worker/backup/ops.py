"""Back up and restore the schema ``ops`` of the analytics database.

A restore is one transaction: all of it, or nothing. It migrates an older backup to the revision of this checkout.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from psycopg2.sql import SQL, Identifier
from sqlalchemy import Connection, text

from analytics_worker.backup.database_copy import (
    Say,
    copy_in,
    copy_out,
    revision,
    run,
    snapshot,
    tables,
)
from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.folder import BackupFolder
from analytics_worker.backup.manifest import DatabaseCopy, Manifest
from analytics_worker.database.connections import direct_connection, direct_url
from analytics_worker.database.urls import quoted_name
from analytics_worker.migrations import known_revisions, prepare_schema, upgrade_schema
from analytics_worker.settings import settings

SCHEMA = "ops"
SEEDED = frozenset({"locks"})
"""Tables that have rows in a database that was never used."""
REPORTS = "report_runs"
WAITING = "select count(*) from ops.deliveries where status in ('pending', 'sending')"


@dataclass(frozen=True)
class OpsCopy:
    """What a backup has of the schema."""

    copied: DatabaseCopy
    report_files: list[str]
    """The files of reports that it refers to."""


def back_up_ops(folder: BackupFolder, say: Say) -> OpsCopy:
    """Copy the schema, as of one snapshot."""
    with snapshot(direct_url(), SCHEMA) as connection:
        copied = copy_out(connection, SCHEMA, folder, say, part="ops")
        named = [table.name for table in copied.tables]
        names = _scalars(connection, "report_files") if REPORTS in named else []
    return OpsCopy(copied, names)


@dataclass
class RestoredOps:
    """What a restore of the schema has done."""

    notes: list[str]
    waiting: int
    """Deliveries that a sender will send."""


@contextmanager
def restoring_ops(
    folder: Path, manifest: Manifest, say: Say, *, replace: bool, other_database: bool
) -> Generator[RestoredOps]:
    """Restore the schema; the transaction is committed at the end of the block, and rolled back on any error.

    Raises:
        BackupError: the target has data, another name or a newer revision, or a worker is connected.
    """
    copied = manifest.ops
    _check_version(copied)
    with direct_connection(direct_url()) as connection:
        milliseconds = settings().lock_timeout_seconds * 1000
        connection.execute(text(f"set local lock_timeout = {milliseconds}"))
        _check_database(connection, copied, other_database=other_database)
        _check_sessions(connection)
        _check_revision(connection, copied)
        if not replace:
            _check_empty(connection)
        prepare_schema(connection)
        upgrade_schema(connection, copied.revision)
        left_out = copy_in(connection, SCHEMA, copied, folder, say)
        upgrade_schema(connection)
        notes = [
            f"ops.{name} is in the backup, but not a table of the worker: not restored"
            for name in left_out
        ]
        yield RestoredOps(notes, int(connection.scalar(text(WAITING)) or 0))


def _check_version(copied: DatabaseCopy) -> None:
    if copied.revision not in known_revisions():
        raise BackupError(
            f"The backup has schema ops at revision {copied.revision!r}, which this version of the worker does"
            " not know; nothing was changed. Restore it with the version that made it, or a newer one"
        )


def _check_database(connection: Connection, copied: DatabaseCopy, *, other_database: bool) -> None:
    name = str(connection.scalar(text("select current_database()")))
    if name != copied.database and not other_database:
        raise BackupError(
            f"The backup is of database {quoted_name(copied.database)}, and DATABASE_URL is"
            f" {quoted_name(name)}; nothing was changed. To restore it there, use --other-database"
        )


def _check_sessions(connection: Connection) -> None:
    found = _scalars(connection, "worker_sessions")
    if found:
        raise BackupError(
            f"The worker uses this database (sessions: {', '.join(sorted(set(found))[:3])}); nothing was changed."
            " Stop the workers and exporters on all hosts first"
        )


def _check_revision(connection: Connection, copied: DatabaseCopy) -> None:
    """Refuse a schema at a newer revision: there is no way back for its tables."""
    found = revision(connection, SCHEMA)
    order = known_revisions()
    if found is None or (found in order and order.index(found) <= order.index(copied.revision)):
        return
    raise BackupError(
        f"The schema ops is at revision {found!r:.80}, newer than the backup ({copied.revision}); nothing was"
        " changed. Keep it under another name, and repeat the restore:"
        " ALTER SCHEMA ops RENAME TO ops_before_restore;"
    )


def _check_empty(connection: Connection) -> None:
    for name in tables(connection, SCHEMA).keys() - SEEDED:
        found = SQL("select exists (select from {})").format(Identifier(SCHEMA, name))
        if run(connection, found)[0][0]:
            raise BackupError(
                f"The schema ops has data already (table {name}); nothing was changed. Use --replace to replace it"
            )


def _scalars(connection: Connection, name: str) -> list[Any]:
    statement = (Path(__file__).parent / "sql" / f"{name}.sql").read_text()
    return list(connection.scalars(text(statement)))
