"""Copy the rows of a schema into files of a backup, and back: as of one snapshot, in one transaction.

Uses COPY and no programs of PostgreSQL, so that every server version that the worker supports can be backed up
and restored on any other. The rows are streamed. Tables, indexes and constraints are those of the migrations: the
revision is part of the copy.
"""

import gzip
import io
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from psycopg2.sql import SQL, Composable, Identifier
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from analytics_worker.backup.errors import BackupError
from analytics_worker.backup.folder import BackupFolder
from analytics_worker.backup.manifest import Counter, DatabaseCopy, Table
from analytics_worker.database.connections import direct_connection
from analytics_worker.settings import settings

Say = Callable[[str], None]
BUFFER_BYTES = 1 << 18
COMPRESSION = 1
FORMATS = {
    "client_encoding": "UTF8",
    "datestyle": "ISO, MDY",
    "intervalstyle": "postgres",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
"""Settings on which the text of a value depends, or that would end a long copy."""


@contextmanager
def snapshot(url: URL, schema: str) -> Generator[Connection]:
    """Open a read-only transaction that sees one state of the database; no migration starts meanwhile."""
    with direct_connection(url) as connection:
        connection.execute(text("set transaction isolation level repeatable read, read only"))
        connection.execute(text(f"set local lock_timeout = {_lock_milliseconds()}"))
        version = Identifier(schema, "alembic_version")
        run(connection, SQL("lock table {} in access share mode").format(version))
        _use_formats(connection)
        yield connection


def copy_out(
    connection: Connection,
    schema: str,
    folder: BackupFolder,
    say: Say,
    *,
    part: str,
) -> DatabaseCopy:
    """Copy the tables of a schema into the folder of a part.

    Args:
        connection: That of `snapshot`.
        schema: Name of the schema.
        folder: The backup.
        say: Reports the progress.
        part: Name of the part of the backup.
    """
    found = tables(connection, schema)
    for name in found:
        run(connection, SQL("lock table {} in access share mode").format(Identifier(schema, name)))
    copied = [
        _copy_table(connection, schema, name, columns, folder, f"{part}/{number:04}.copy.gz", say)
        for number, (name, columns) in enumerate(found.items(), 1)
    ]
    sequences = [
        Counter(name=n, last_value=last) for n, last, _ in _sequences(connection, schema, found)
    ]
    return DatabaseCopy(
        revision=revision(connection, schema) or "",
        database=str(connection.scalar(text("select current_database()"))),
        server_version=str(connection.scalar(text("show server_version"))),
        tables=copied,
        sequences=sequences,
    )


def _copy_table(
    connection: Connection,
    schema: str,
    name: str,
    columns: list[str],
    folder: BackupFolder,
    file: str,
    say: Say,
) -> Table:
    statement = SQL("copy {} ({}) to stdout").format(Identifier(schema, name), _columns(columns))
    with folder.file(file) as target:
        raw: Any = target
        with gzip.GzipFile("", "wb", COMPRESSION, raw, mtime=0) as packed:
            buffered = io.BufferedWriter(cast("Any", packed), BUFFER_BYTES)
            rows = _copy(connection, statement, buffered)
            buffered.flush()
            buffered.detach()
    if rows:
        say(f"{schema}.{name}: {rows:,} rows")
    return Table(name=name, columns=columns, rows=rows, file=file)


def copy_in(
    connection: Connection, schema: str, copied: DatabaseCopy, folder: Path, say: Say
) -> list[str]:
    """Replace the rows of the tables by those of a copy, in the transaction of the connection.

    Foreign keys are dropped and created again, which checks every row. Returns the tables that are not restored,
    because the schema at this revision does not have them.

    Raises:
        BackupError: another number of rows was restored than the backup has.
    """
    _use_formats(connection)
    known = tables(connection, schema)
    wanted = [table for table in copied.tables if table.name in known]
    names = [table.name for table in wanted]
    if not names:
        return [table.name for table in copied.tables]
    with _without_checks(connection, schema, names):
        every = SQL(", ").join(Identifier(schema, name) for name in names)
        run(connection, SQL("truncate {}").format(every))
        for table in wanted:
            _load(connection, schema, table, folder, say)
    _set_sequences(connection, schema, copied, names)
    return [table.name for table in copied.tables if table.name not in known]


@contextmanager
def _without_checks(connection: Connection, schema: str, names: Sequence[str]) -> Generator[None]:
    """Drop foreign keys and disable triggers within this block."""
    keys = _rows(connection, "foreign_keys", schema=schema, tables=list(names))
    for row in keys:
        _alter(
            connection,
            schema,
            row["table_name"],
            SQL("drop constraint {}").format(Identifier(row["name"])),
        )
    for name in names:
        _alter(connection, schema, name, SQL("disable trigger user"))
    yield
    for name in names:
        _alter(connection, schema, name, SQL("enable trigger user"))
    for row in keys:
        change = SQL("add constraint {} {}").format(Identifier(row["name"]), SQL(row["definition"]))
        _alter(connection, schema, row["table_name"], change)


def _load(connection: Connection, schema: str, table: Table, folder: Path, say: Say) -> None:
    target = Identifier(schema, table.name)
    statement = SQL("copy {} ({}) from stdin").format(target, _columns(table.columns))
    with gzip.open(folder / table.file, "rb") as source:
        rows = _copy(connection, statement, source)
    if rows != table.rows:
        raise BackupError(
            f"{schema}.{table.name}: {rows:,} rows restored, expected {table.rows:,}; nothing was changed"
        )
    if rows:
        say(f"{schema}.{table.name}: {rows:,} rows")


def _copy(connection: Connection, statement: Composable, file: Any) -> int:
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.copy_expert(statement, file, BUFFER_BYTES)
        return cursor.rowcount


def _set_sequences(
    connection: Connection, schema: str, copied: DatabaseCopy, names: Sequence[str]
) -> None:
    values = {sequence.name: sequence.last_value for sequence in copied.sequences}
    statement = text(
        "select setval(cast(format('%I.%I', :schema, :name) as regclass), :value, :used)"
    )
    for name, _, start in _sequences(connection, schema, names):
        last = values.get(name)
        parameters = {"schema": schema, "name": name, "used": last is not None}
        connection.execute(statement, {**parameters, "value": start if last is None else last})


def _sequences(
    connection: Connection, schema: str, names: Any
) -> list[tuple[str, int | None, int]]:
    found = _rows(connection, "sequences", schema=schema, tables=list(names))
    return [(row["name"], row["last_value"], row["start_value"]) for row in found]


def tables(connection: Connection, schema: str) -> dict[str, list[str]]:
    """Return the tables of a schema that belong to the owner of that with the revision, with their columns."""
    found = _rows(connection, "tables", schema=schema)
    return {row["name"]: row["columns"] for row in found}


def revision(connection: Connection, schema: str) -> str | None:
    """Return the revision of a schema; None if it was never migrated."""
    name = SQL("{}").format(Identifier(schema, "alembic_version"))
    known = text("select to_regclass(format('%I.alembic_version', cast(:schema as text)))")
    if not connection.scalar(known, {"schema": schema}):
        return None
    found = run(connection, SQL("select version_num from {}").format(name))
    return found[0][0] if found else None


def run(connection: Connection, statement: Composable) -> list[Any]:
    """Run a statement with quoted names; return its rows."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def _alter(connection: Connection, schema: str, name: str, change: Composable) -> None:
    run(connection, SQL("alter table {} {}").format(Identifier(schema, name), change))


def _columns(names: Sequence[str]) -> Composable:
    return SQL(", ").join(map(Identifier, names))


def _use_formats(connection: Connection) -> None:
    for name, value in FORMATS.items():
        connection.execute(
            text("select set_config(:name, :value, true)"), {"name": name, "value": value}
        )


def _lock_milliseconds() -> int:
    return settings().lock_timeout_seconds * 1000


def _rows(connection: Connection, name: str, **parameters: object) -> Sequence[Any]:
    statement = text((Path(__file__).parent / "sql" / f"{name}.sql").read_text())
    return connection.execute(statement, parameters).mappings().all()
