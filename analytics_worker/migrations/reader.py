"""The login role that can only SELECT, for the SQL of alerts and reports that users write.

`ensure_reader` creates it if need be, gives it the analytics schemas and nothing else, and proves
that it can log in. Safe to repeat; a role that an administrator made is used as it is.
"""

from contextlib import suppress

from psycopg2 import Error as DriverError
from psycopg2 import errorcodes, sql
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError

from analytics_worker.database.connections import READER_ROLE, direct_connection, reader_password
from analytics_worker.errors import PermanentError, sqlstate
from analytics_worker.settings import settings

ROLE_LIMITS = {"temp_file_limit": "10GB", "log_min_messages": "fatal"}
"""Settings of the role, where an administrator set no others. The server writes no errors of user SQL into its log: a
message can have hundreds of megabytes, and it quotes data."""
IS_SET = """select exists (
    select from pg_db_role_setting
    where setrole = to_regrole(:role) and array_to_string(setconfig, ' ') like :like
)"""


class ReaderRoleError(PermanentError):
    """The SELECT-only role is not usable; says what an administrator has to run."""


def ensure_reader(owner: URL) -> None:
    """Create the role if it is missing, grant it SELECT on the analytics schemas, try it.

    Raises:
        ReaderRoleError: the owner may not create roles, or the role can't log in.
    """
    explicit = settings().reader_database_url
    password = None if explicit else reader_password(owner.password)
    with direct_connection(owner) as connection:
        if not _exists(connection):
            _create(connection, password)
        _grant(connection)
        _limit_role(connection)
    if explicit is None and not _can_log_in(owner, password):
        with direct_connection(owner) as connection:
            _set_password(connection, password)


def _exists(connection: Connection) -> bool:
    query = text("select exists (select from pg_roles where rolname = :role)")
    return bool(connection.scalar(query, {"role": READER_ROLE}))


def _run(connection: Connection, template: str, **parts: sql.Composable) -> None:
    """Run a statement with identifiers and literals quoted by the driver."""
    raw = connection.connection.driver_connection
    with raw.cursor() as cursor:  # pyright: ignore[reportOptionalMemberAccess]
        cursor.execute(sql.SQL(template).format(role=sql.Identifier(READER_ROLE), **parts))


def _create(connection: Connection, password: str | None) -> None:
    savepoint = connection.begin_nested()
    try:
        _run(
            connection,
            "create role {role} login nosuperuser nocreatedb nocreaterole noinherit noreplication"
            " password {password}",
            password=sql.Literal(password),
        )
        _run(connection, "alter role {role} set default_transaction_read_only = on")
    except DriverError as error:
        savepoint.rollback()
        if sqlstate(error) in {errorcodes.DUPLICATE_OBJECT, errorcodes.UNIQUE_VIOLATION}:
            return  # another database of the same server was migrated at the same moment
        if sqlstate(error) != errorcodes.INSUFFICIENT_PRIVILEGE:
            raise
        raise ReaderRoleError(
            f"The role {READER_ROLE} is missing and this user may not create roles. An"
            f" administrator has to run: CREATE ROLE {READER_ROLE} LOGIN NOINHERIT PASSWORD '…';"
            " then set READER_DATABASE_URL."
        ) from error


def _grant(connection: Connection) -> None:
    """SELECT on what is there and on what dbt will build; never on ops."""
    for name in settings().analytics_schemas:
        schema = sql.Identifier(name)
        _run(connection, "create schema if not exists {schema}", schema=schema)
        _run(connection, "grant usage on schema {schema} to {role}", schema=schema)
        _run(connection, "grant select on all tables in schema {schema} to {role}", schema=schema)
        _grant_future(connection, schema)
    _grant_future(connection, sql.Identifier("public"))  # the compatibility views


def _grant_future(connection: Connection, schema: sql.Identifier) -> None:
    _run(
        connection,
        "alter default privileges in schema {schema} grant select on tables to {role}",
        schema=schema,
    )


def _limit_role(connection: Connection) -> None:
    """Bound what user SQL may write to the server's disk, if the owner of the role may set that."""
    for name, value in ROLE_LIMITS.items():
        if not connection.scalar(text(IS_SET), {"role": READER_ROLE, "like": f"%{name}%"}):
            _set_if_permitted(connection, name, value)


def _set_if_permitted(connection: Connection, name: str, value: str) -> None:
    savepoint = connection.begin_nested()
    try:
        setting, literal = sql.Identifier(name), sql.Literal(value)
        _run(connection, "alter role {role} set {name} = {value}", name=setting, value=literal)
    except DriverError as error:
        savepoint.rollback()
        # INTERNAL_ERROR: another database of the same server is migrated at this moment
        if sqlstate(error) not in {errorcodes.INSUFFICIENT_PRIVILEGE, errorcodes.INTERNAL_ERROR}:
            raise


def _can_log_in(owner: URL, password: str | None) -> bool:
    with suppress(OperationalError):
        with direct_connection(owner.set(username=READER_ROLE, password=password)) as connection:
            connection.execute(text("select 1"))
        return True
    return False


def _set_password(connection: Connection, password: str | None) -> None:
    try:
        _run(connection, "alter role {role} login password {pw}", pw=sql.Literal(password))
    except DriverError as error:
        raise ReaderRoleError(
            f"The role {READER_ROLE} exists, but can't log in with the derived password. Set"
            " READER_DATABASE_URL to a URL with its real one."
        ) from error
