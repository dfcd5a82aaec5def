"""The roles that run users' SQL: that each can read what it should, and nothing else.

Reads the catalog as each of them; writes nothing.
"""

from collections.abc import Iterator
from typing import cast

from sqlalchemy import Connection, RowMapping, text

from analytics_worker.database.connections import direct_connection, reader_url, warehouse_url
from analytics_worker.doctor.findings import Finding, Level, judged
from analytics_worker.doctor.statements import statement
from analytics_worker.settings import settings


def readers() -> Iterator[Finding]:
    """What each role may do: the usual one, and those of READER_DATABASE_URLS."""
    yield from reader()
    for name in settings().reader_database_urls:
        yield from reader(name)


def reader(name: str | None = None) -> Iterator[Finding]:
    """What one role may do."""
    label = "reader" if name is None else f"reader {name}"
    with direct_connection(reader_url(name)) as connection:
        schemas = {"schemas": settings().analytics_schemas}
        row = connection.execute(text(statement("reader_rights")), schemas).mappings().one()
        yield from _rights(label, row, is_usual=name is None)
        yield from _powers(label, connection)


def _rights(label: str, row: RowMapping, *, is_usual: bool) -> Iterator[Finding]:
    excess = list(_excess(row))
    message = "; ".join(excess) if excess else f"{row['role']} can only SELECT"
    fix = f"REVOKE it: rules and reports run SQL of users as {row['role']}."
    yield judged("permissions", f"{label} can't write", message, fail=bool(excess), fix=fix)
    hidden = row["can_not_read"] if is_usual else 0  # others are there to read less
    message = f"{hidden} relations can't be read" if hidden else "reads its analytics schemas"
    fix = "`analytics-worker migrate` grants SELECT."
    yield judged("permissions", f"{label} can read", message, warn=bool(hidden), fix=fix)


def _powers(label: str, connection: Connection) -> Iterator[Finding]:
    owner = {"owner": warehouse_url().username or ""}
    for row in connection.execute(text(statement("reader_powers")), owner).mappings():
        level = cast("Level", row["level"])
        yield Finding(
            "permissions", f"{label} can do more than SELECT", level, row["message"], row["fix"]
        )


def _excess(row: RowMapping) -> Iterator[str]:
    if row["is_privileged"]:
        yield f"{row['role']} is a superuser, or may create roles or databases"
    if row["sees_ops"]:
        yield "it sees the schema ops"
    if row["may_create_in"]:
        yield f"it may create in {', '.join(row['may_create_in'])}"
    if row["may_write_to"]:
        yield f"it may write to {', '.join(row['may_write_to'])}"
