"""Find out whether a connection pooler gives each transaction of a session another server process.

There, locks and settings of a session do not hold: they stay with a server process that the next client gets.
Opens up to two connections per URL; writes nothing and locks nothing. Without SQLAlchemy, which the
worker's process does without.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812  # it is a class

from analytics_worker.database.libpq_url import libpq_parameters
from analytics_worker.settings import settings

FIX = "set DATABASE_DIRECT_URL to the address of PostgreSQL itself, or use a pooler in session mode"
READER_FIX = "use the address of PostgreSQL itself, or a pooler in session mode"
ATTEMPTS = 3


def is_behind_pooler(connection: Connection) -> bool:
    """Whether something between client and server answers logins: it has process numbers of its own."""
    return connection.info.backend_pid != _server_process(connection)


def changes_sessions(arguments: Mapping[str, str]) -> bool:
    """Whether a session with these parameters of libpq uses another server process for each transaction.

    Raises:
        psycopg2.OperationalError: the database is unavailable.
    """
    with closing(_connect(arguments)) as first:
        first.autocommit = True
        if not is_behind_pooler(first):
            return False
        return any(_other_gets_process(first, arguments) for _ in range(ATTEMPTS))


def pooled_variables() -> Iterator[tuple[str, str]]:
    """Yield the variables whose sessions must keep locks or settings but do not, each with the fix.

    Raises:
        psycopg2.OperationalError: a database is unavailable.
        DatabaseUrlError: a variable is not a valid URL.
    """
    for variable, arguments in session_arguments():
        if changes_sessions(arguments):
            yield variable, READER_FIX if variable.startswith("READER") else FIX


def session_arguments() -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield the variables of sessions that hold locks or settings, with their parameters of libpq."""
    chosen = settings()
    names = ["READER_DATABASE_URL", "DATABASE_DIRECT_URL"]
    urls = {name: getattr(chosen, name.lower()) for name in names}
    urls |= {f"READER_DATABASE_URLS ({n})": url for n, url in chosen.reader_database_urls.items()}
    if chosen.database_direct_url is None and chosen.database_block:
        yield "DATABASE_BLOCK", _arguments_of_block()
    elif chosen.database_direct_url is None:
        urls["DATABASE_URL"] = chosen.database_url
    for name, url in urls.items():
        if url is not None:
            yield name, libpq_parameters(url.get_secret_value(), name)


def _arguments_of_block() -> dict[str, str]:
    from analytics_worker.database.urls import parameters_of, warehouse_url  # noqa: PLC0415  # SQLAlchemy

    return parameters_of(warehouse_url())


def warning(variable: str, fix: str) -> str:
    """Return the sentence for a variable whose sessions do not keep locks and settings."""
    return (
        f"{variable} leads to a connection pooler in transaction mode, where locks and time limits of"
        f" sessions do not hold: {fix}."
    )


def _other_gets_process(first: Connection, arguments: Mapping[str, str]) -> bool:
    """Whether a transaction of another client gets the server process that an idle session had."""
    before = _server_process(first)
    with closing(_connect(arguments)) as second:  # in a transaction, which keeps its process
        taken = _server_process(second) == before
        changed = taken or _server_process(first) != before
        second.rollback()
    return changed


def _server_process(connection: Connection) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select pg_catalog.pg_backend_pid()")
        (number,) = cursor.fetchone() or (0,)
    return int(number)


def _connect(arguments: Mapping[str, str]) -> Connection:
    options: dict[str, Any] = {"connect_timeout": settings().connect_timeout_seconds}
    options.update(arguments)
    return psycopg2.connect(**options)  # noqa: TID251  # outside pool and breaker, to look at it
