"""The login role that can only SELECT, for the SQL of alerts and reports that users write.

`prepare_reader` creates it in the transaction of the migration, if need be; its comment says whose it is. A role
that another role made is never changed: READER_DATABASE_URL names it, and its password. Safe to repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from psycopg2 import Error as DriverError
from psycopg2 import errorcodes, sql
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from analytics_worker.database.connections import direct_connection, parse_url
from analytics_worker.database.identity import (
    database_of_reader,
    database_of_warehouse,
    difference,
)
from analytics_worker.database.libpq_url import connection_problem
from analytics_worker.database.urls import derived_reader, quoted_name, reader_url
from analytics_worker.errors import PermanentError, sqlstate
from analytics_worker.migrations.grants import run
from analytics_worker.settings import project_root, settings
from analytics_worker.text import one_line

ROLE_LIMITS = {"temp_file_limit": "10GB", "log_min_messages": "fatal"}
"""Settings of the role, where an administrator set no others. The server writes no errors of user SQL into its log: a
message can have hundreds of megabytes, and it quotes data."""
IS_SET = """select exists (
    select from pg_db_role_setting
    where setrole = to_regrole(quote_ident(:role)) and array_to_string(setconfig, ' ') like :like
)"""
WRONG_PASSWORD = "not the password"  # noqa: S105  # shows whether the server asks for one
OTHER_ROLE = "set READER_ROLE to the name of a role to create, or READER_DATABASE_URL to the URL of a role that may SELECT"


class ReaderRoleError(PermanentError):
    """The SELECT-only role is not usable; says what an administrator has to run."""


@dataclass(frozen=True)
class Reader:
    """The default reader of a database."""

    url: URL
    role: str
    """Its name, as the server knows it: a service or PGUSER may choose it."""
    is_ours: bool
    """Whether the worker made it, and may change it."""
    note: str | None = None
    """What was done to it that its users should know."""


def try_explicit_readers() -> list[str]:
    """Connect with READER_DATABASE_URL, if it is set; return a line for each other reader that can't connect.

    Raises:
        ReaderRoleError: the default reader can't connect.
    """
    if settings().reader_database_url and (reason := _refusal(reader_url())):
        raise ReaderRoleError(f"READER_DATABASE_URL does not connect: {reason}. Correct it")
    refusals = {name: _refusal(reader_url(name)) for name in settings().reader_database_urls}
    return [
        f"READER_DATABASE_URLS: reader {name} does not connect: {reason}"
        for name, reason in refusals.items()
        if reason
    ] + _readers_elsewhere([name for name, reason in refusals.items() if not reason])


def _readers_elsewhere(names: Sequence[str]) -> list[str]:
    """Return a line for each reader whose rules and reports would read another database."""
    readers = {f"READER_DATABASE_URLS: reader {name}": name for name in names}
    if settings().reader_database_url:
        readers = {"READER_DATABASE_URL": None, **readers}
    if not readers:
        return []
    warehouse = database_of_warehouse()
    found = {
        label: difference(warehouse, database_of_reader(name)) for label, name in readers.items()
    }
    return [
        f"{label} {reason}: rules and reports read that one"
        for label, reason in found.items()
        if reason
    ]


def prepare_reader(connection: Connection, owner: URL) -> Reader:
    """Return the default reader; create it if it is missing.

    Raises:
        ReaderRoleError: a role of that name exists that this worker did not make, or this user may not create it.
    """
    if explicit := settings().reader_database_url:
        url = parse_url(explicit.get_secret_value(), "READER_DATABASE_URL")
        return Reader(url, _role_of(url), is_ours=False)
    url = derived_reader(owner)
    role = str(url.username)
    statement = text((Path(__file__).parent / "sql/reader_role.sql").read_text())
    found = connection.execute(statement, {"role": role}).mappings().one()
    whose = _comment(found["database"], found["owner"])
    note = None
    if not found["role_exists"]:
        _create(connection, url, whose)
    elif not _is_usable(url, found["comment"], found["database"]):
        note = _reset_password(connection, url, found["comment"], whose)
    elif not found["comment"]:
        _run_if_permitted(
            connection, "comment on role {role} is {text}", role, text=sql.Literal(whose)
        )
    _limit_role(connection, role)
    return Reader(url, role, is_ours=True, note=note)


def _role_of(url: URL) -> str:
    with direct_connection(url) as connection:
        return str(connection.scalar(text("select current_user")))


def check_login(reader: Reader) -> None:
    """Connect as the role that was just created.

    Raises:
        ReaderRoleError: it can't connect.
    """
    reason = None if settings().reader_database_url else _refusal(reader.url)
    if reason is None:
        return
    name = quoted_name(reader.role)
    fix = (
        "Let pg_hba.conf admit it"
        if reader.url.password
        else "DATABASE_URL has no password to derive one from. Run: ALTER ROLE"
        f" {name} PASSWORD '…'; then set READER_DATABASE_URL, or add it to the passfile"
    )
    raise ReaderRoleError(f"The role {reader.role} exists, but does not connect: {reason}. {fix}")


def _comment(database: str, owner: str) -> str:
    return f"{_comment_start(database)} made by {quoted_name(owner)} in {project_root()}"


def _comment_start(database: str) -> str:
    return f"Analytics worker: reader of database {quoted_name(database)},"


def _is_usable(url: URL, comment: str | None, database: str) -> bool:
    """Whether the worker made the role, by its comment, or by its password, which only the worker derives."""
    if _refusal(url) is not None:
        return False
    is_ours = (comment or "").startswith(_comment_start(database))
    return is_ours or _refusal(url.set(password=WRONG_PASSWORD)) is not None


def _create(connection: Connection, url: URL, whose: str) -> None:
    role = str(url.username)
    savepoint = connection.begin_nested()
    names = {"role": sql.Identifier(role)}
    try:
        run(
            connection,
            "create role {role} login nosuperuser nocreatedb nocreaterole noinherit noreplication"
            " password {password}",
            **names,
            password=sql.Literal(url.password),
        )
        run(connection, "alter role {role} set default_transaction_read_only = on", **names)
        run(connection, "comment on role {role} is {text}", **names, text=sql.Literal(whose))
    except DriverError as error:
        savepoint.rollback()
        if sqlstate(error) in {errorcodes.DUPLICATE_OBJECT, errorcodes.UNIQUE_VIOLATION}:
            return  # READER_ROLE names it for another database, which was migrated at the same moment
        if sqlstate(error) != errorcodes.INSUFFICIENT_PRIVILEGE:
            raise
        raise ReaderRoleError(
            f"The role {role} is missing, and this user may not create roles; nothing was changed. An"
            f" administrator has to run: CREATE ROLE {quoted_name(role)} LOGIN NOINHERIT PASSWORD '…';"
            " then set READER_DATABASE_URL to the URL of that role, and run `analytics-worker migrate"
            " --grant-reader`"
        ) from error


def _reset_password(connection: Connection, url: URL, comment: str | None, whose: str) -> str:
    """Set the password of a role that this user made for this database, after DATABASE_URL's was changed."""
    role = str(url.username)
    if comment != whose and not _same_owner(comment, whose):
        said = f"its comment is: {one_line(comment)}" if comment else "it has no comment"
        raise ReaderRoleError(
            f"The role {role} exists, and this worker did not make it for this database ({said}); nothing"
            f" was changed. Either {OTHER_ROLE}"
        )
    if url.password is None:
        return f"{role} has a password that can't be derived: DATABASE_URL has none"
    try:
        names = {"role": sql.Identifier(role), "password": sql.Literal(url.password)}
        run(connection, "alter role {role} login password {password}", **names)
    except DriverError as error:
        raise ReaderRoleError(
            f"The role {role} does not connect with the derived password; set READER_DATABASE_URL"
        ) from error
    return f"{role} has a new password, because that of DATABASE_URL has changed"


def _same_owner(comment: str | None, whose: str) -> bool:
    """Whether database and owner are the same, from any folder."""
    return (comment or "").startswith(whose.removesuffix(f"in {project_root()}"))


def _limit_role(connection: Connection, role: str) -> None:
    """Bound what user SQL may write to the server's disk, if the owner of the role may set that."""
    for name, value in ROLE_LIMITS.items():
        if not connection.scalar(text(IS_SET), {"role": role, "like": f"%{name}%"}):
            statement = "alter role {role} set {name} = {value}"
            parts = {"name": sql.Identifier(name), "value": sql.Literal(value)}
            _run_if_permitted(connection, statement, role, **parts)


def _run_if_permitted(
    connection: Connection, template: str, role: str, **parts: sql.Composable
) -> None:
    savepoint = connection.begin_nested()
    try:
        run(connection, template, role=sql.Identifier(role), **parts)
    except DriverError as error:
        savepoint.rollback()
        # INTERNAL_ERROR: another database of the same server is migrated at this moment
        if sqlstate(error) not in {errorcodes.INSUFFICIENT_PRIVILEGE, errorcodes.INTERNAL_ERROR}:
            raise


def _refusal(url: URL) -> str | None:
    """Return why no connection can be opened; None if it can."""
    try:
        with direct_connection(url) as connection:
            connection.execute(text("select 1"))
    except OperationalError as error:
        return one_line(connection_problem(str(error.orig)))
    return None
