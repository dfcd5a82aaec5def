"""Check that the databases which the user named answer, before anything of the stack starts.

Connects to each of them once; writes nothing there. No message contains a password.
"""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg2

from analytics_worker.database.libpq_url import (
    DatabaseUrlError,
    address,
    connection_problem,
    libpq_parameters,
)
from analytics_worker.settings import settings
from analytics_worker.stack.errors import StackError

CONNECT_SECONDS = 10


def check_database_url() -> None:
    """Refuse to start with a DATABASE_URL that does not answer; nothing is written there."""
    secret = settings().database_url
    if secret is None:
        return
    try:
        parameters = libpq_parameters(secret.get_secret_value())
    except DatabaseUrlError as error:
        raise StackError(f"{error}.") from None
    fix = "Correct it, or unset it: the stack then brings its own PostgreSQL."
    with open_connection("DATABASE_URL", parameters, fix):
        pass


@contextmanager
def open_connection(variable: str, parameters: Mapping[str, str], fix: str) -> Generator[Any]:
    """Connect once, past pool and breaker.

    Raises:
        StackError: the database does not answer; one line with the variable, the address and the fix.
    """
    options: dict[str, Any] = {**parameters, "connect_timeout": str(CONNECT_SECONDS)}
    try:
        connection = psycopg2.connect(**options)  # before anything else of the stack
    except psycopg2.Error as error:
        reason = connection_problem(str(error)) or type(error).__name__
        raise StackError(
            f"{variable} ({address(parameters)}) does not answer: {reason.rstrip('.')}. {fix}"
        ) from None
    try:
        yield connection
    finally:
        connection.close()
