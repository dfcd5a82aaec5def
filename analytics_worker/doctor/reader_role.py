"""Check the roles that run users' SQL: each can read what it should, and nothing else.

Reads the system catalog as each role; writes nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import cast

from sqlalchemy import Connection, RowMapping, text
from sqlalchemy.exc import OperationalError

from analytics_worker.database.connections import direct_connection, reader_url, warehouse_url
from analytics_worker.database.identity import (
    database_of_reader,
    database_of_warehouse,
    difference,
)
from analytics_worker.database.replicas import replayed_until
from analytics_worker.doctor.database_problems import problem, reader_fix
from analytics_worker.doctor.findings import Finding, Level, graded
from analytics_worker.doctor.statements import statement
from analytics_worker.migrations.grants import SHARED_VIEWS, missing_user_mappings
from analytics_worker.settings import settings
from analytics_worker.text import counted

WARN_REPLICA_SECONDS = 60.0


def readers() -> Iterator[Finding]:
    """Check each role: the default reader, and those of READER_DATABASE_URLS."""
    for name in (None, *settings().reader_database_urls):
        try:
            yield from reader(name)
        except OperationalError as error:
            fix = reader_fix(name, error)
            yield Finding("permissions", _label(name), "fail", problem(error), fix)


def _label(name: str | None) -> str:
    return "reader" if name is None else f"reader {name}"


def reader(name: str | None = None) -> Iterator[Finding]:
    """Check the privileges of one role."""
    label = _label(name)
    with direct_connection(reader_url(name)) as connection:
        names = {"schemas": settings().analytics_schemas, "shared_views": list(SHARED_VIEWS)}
        row = connection.execute(text(statement("reader_privileges")), names).mappings().one()
        yield from _privileges(label, row, is_default=name is None)
        yield from _extra_privileges(label, connection)
        yield from _foreign_tables(label, connection, row["role"])
        yield from _replica(label, connection)
    yield _database(label, name)


def _replica(label: str, connection: Connection) -> Iterator[Finding]:
    """Say how far behind a read replica is; its clock is its own."""
    until = replayed_until(connection)
    if until is None:
        return
    now: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    seconds = max((now - until).total_seconds(), 0)
    message = f"reads a replica, {seconds:,.0f} s behind its primary"
    late = seconds > WARN_REPLICA_SECONDS
    fix = "Look at the replica's log: rules and reports see data of that time."
    yield graded("permissions", f"{label}'s replica", message, warn=late, fix=fix)


def _database(label: str, name: str | None) -> Finding:
    reason = difference(database_of_warehouse(), database_of_reader(name))
    message = reason or "reads the database of DATABASE_URL"
    fix = "Rules and reports read that one: correct its URL, if this is not intended."
    return graded("permissions", f"{label}'s database", message, warn=bool(reason), fix=fix)


def _privileges(label: str, row: RowMapping, *, is_default: bool) -> Iterator[Finding]:
    privileges = list(_write_privileges(row))
    message = "; ".join(privileges) if privileges else f"{row['role']} can only SELECT"
    fix = f"REVOKE it: rules and reports run SQL of users as {row['role']}."
    yield graded("permissions", f"{label} can't write", message, fail=bool(privileges), fix=fix)
    unreadable = row["can_not_read"] if is_default else 0  # others exist to read less
    message = (
        f"{counted(unreadable, 'relation')} can't be read"
        if unreadable
        else "reads its analytics schemas"
    )
    fix = (
        "`analytics-worker migrate` grants SELECT where it may, with `--grant-reader` to the role of"
        " READER_DATABASE_URL, and prints the GRANTs that other owners have to run. Run it again after"
        " a new schema: what dbt makes there later is not granted before."
    )
    yield graded("permissions", f"{label} can read", message, warn=bool(unreadable), fix=fix)


def _extra_privileges(label: str, connection: Connection) -> Iterator[Finding]:
    with direct_connection(warehouse_url()) as warehouse:
        owner = {"owner": warehouse.scalar(text("select current_user"))}
    for row in connection.execute(text(statement("reader_extra_privileges")), owner).mappings():
        level = cast("Level", row["level"])
        yield Finding(
            "permissions", f"{label} can do more than SELECT", level, row["message"], row["fix"]
        )


def _foreign_tables(label: str, connection: Connection, role: str) -> Iterator[Finding]:
    lines = missing_user_mappings(connection, role)
    message = lines[0].partition(";")[0] if lines else "can be read"
    fix = f"Run for each server: {lines[0].partition('run: ')[2]}" if lines else ""
    yield graded("permissions", f"{label}'s foreign tables", message, warn=bool(lines), fix=fix)


def _write_privileges(row: RowMapping) -> Iterator[str]:
    if row["is_privileged"]:
        yield f"{row['role']} is a superuser, or may create roles or databases"
    if row["may_read"]:
        yield f"it may read {', '.join(row['may_read'])}"
    if row["may_create_in"]:
        yield f"it may create in {', '.join(row['may_create_in'])}"
    if row["may_write_to"]:
        yield f"it may write to {', '.join(row['may_write_to'])}"
