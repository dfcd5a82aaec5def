"""Query the sample warehouse of a running stack."""

from collections.abc import Generator
from contextlib import closing, contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as DriverConnection  # noqa: N812  # it is a class
from sqlalchemy.engine import URL, make_url

from tests.support.stack import RunningStack


def database_url(stack: RunningStack) -> URL:
    """From what the stack wrote for the other processes of its checkout."""
    lines = (stack.state_dir / "stack.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if line)
    return make_url(variables["DATABASE_URL"].strip("'\""))


@contextmanager
def connected(stack: RunningStack) -> Generator[DriverConnection]:
    """A connection whose statements commit."""
    url = database_url(stack)
    connection = psycopg2.connect(
        host=url.query["host"], user=url.username, password=url.password, dbname=url.database
    )
    connection.autocommit = True
    with closing(connection):
        yield connection


def query(stack: RunningStack, statement: str) -> list[Any]:
    """Rows of a statement, which commits."""
    with connected(stack) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def locked(stack: RunningStack, relation: str) -> Generator[None]:
    """No other session reads or writes the relation within this block."""
    with connected(stack) as connection, connection.cursor() as cursor:
        cursor.execute(f"begin; lock table {relation} in access exclusive mode")
        yield
