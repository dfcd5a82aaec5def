"""Check the PostgreSQL that the user named for the Prefect server, before the server starts.

Connects once, with the parameters that the server would use; writes nothing there. Imports no Prefect, which
would read its settings before the stack has made them.
"""

from collections.abc import Iterator, Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from psycopg2.extras import NamedTupleCursor

from analytics_worker.database.libpq_url import address, libpq_parameters
from analytics_worker.settings import user_variables
from analytics_worker.stack.database_urls import open_connection
from analytics_worker.stack.environment import DATABASE_URLS, is_on_sqlite
from analytics_worker.stack.errors import StackError
from analytics_worker.stack.prefect_database_tls import PARAMETERS
from analytics_worker.stack.prefect_database_tls import libpq_parameters as tls_parameters

SETTINGS = "PREFECT_SERVER_DATABASE_"
PARTS = {"host": "HOST", "port": "PORT", "user": "USER", "password": "PASSWORD", "dbname": "NAME"}
OF_SQLALCHEMY = ("prepared_statement_cache_size", "prepared_statement_name_func", "async_fallback")
FIX = "Correct it, or unset it: the server then keeps its data in SQLite."
STATEMENT = (Path(__file__).parent / "sql" / "server_database.sql").read_text()


def check_server_database() -> None:
    """Refuse to start a server whose PostgreSQL does not answer, or lacks what the server needs.

    Raises:
        DatabaseUrlError: the variable holds no valid URL.
        StackError: anything else; one line with the variable, the database and the fix.
    """
    if is_on_sqlite():
        return
    variable, parameters = server_parameters(user_variables())
    with open_connection(variable, parameters, FIX) as connection:
        cursor = connection.cursor(cursor_factory=NamedTupleCursor)
        cursor.execute(STATEMENT)
        missing = list(_missing(cursor.fetchone()))
    if missing:
        raise StackError(f"{variable} ({address(parameters)}) can't be used. {' '.join(missing)}")


def server_parameters(variables: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return the variable that names the server's PostgreSQL, and libpq's parameters for the same database.

    Raises:
        DatabaseUrlError: it holds no valid URL; the message never repeats it.
    """
    from sqlalchemy.engine import URL, make_url  # noqa: PLC0415  # 10 MB, only with such a variable

    name = next((name for name in DATABASE_URLS if variables.get(name)), None)
    if name is None:
        parts = {key: variables.get(SETTINGS + part, "") for key, part in PARTS.items()}
        tls = tls_parameters(URL.create("postgresql"), variables)
        return f"{SETTINGS}HOST", {key: value for key, value in parts.items() if value} | tls
    url = variables[name].strip()
    base, _, query = url.partition("?")
    # asyncpg's own parameters are none of libpq's; a question mark in the password is for the message.
    found = libpq_parameters(url if "@" in query and "@" not in base else base, name)
    parsed = make_url(url)
    _check_names(name, parsed.query)
    elsewhere = {key: str(parsed.query[key]) for key in ("host", "port") if key in parsed.query}
    return name, found | elsewhere | tls_parameters(parsed, variables)


def _check_names(variable: str, query: Mapping[str, object]) -> None:
    """Refuse what asyncpg would end the server for with a TypeError."""
    from asyncpg import connect  # noqa: PLC0415  # only with such a variable

    known = {*signature(connect).parameters, *OF_SQLALCHEMY, *PARAMETERS}
    for name in query.keys() - known:
        raise StackError(
            f"{variable} has the parameter {name!r}, which the server's driver, asyncpg, does not know. Leave it out."
        )


def _missing(found: Any) -> Iterator[str]:
    """Yield what the database lacks, with who has to do what."""
    if found.is_read_only:
        yield "It is read-only, a standby for example: name the primary."
    if not (found.is_prepared or found.may_create_tables):
        yield (
            f"The role {found.role} may not create tables in the schema {found.schema}: the owner of that schema runs"
            f" `GRANT USAGE, CREATE ON SCHEMA {found.schema} TO {found.role}` there."
        )
    if not found.is_trgm_installed:
        yield "PostgreSQL lacks pg_trgm: install its contrib package on the host of the database."
    elif not (found.has_trgm or found.may_create_trgm):
        yield (
            f"The extension pg_trgm is missing, and the role {found.role} may not create it: a superuser, or the owner"
            f" of the database, runs `CREATE EXTENSION pg_trgm` in the database {found.database}."
        )
