"""The sample warehouse of a running stack, as a psql beside it sees it."""

from typing import Any

import psycopg2
from sqlalchemy.engine import URL, make_url

from tests.support.stack import RunningStack


def database_url(stack: RunningStack) -> URL:
    """From what the stack wrote for the other processes of its checkout."""
    lines = (stack.state_dir / "stack.env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if line)
    return make_url(variables["DATABASE_URL"].strip("'\""))


def query(stack: RunningStack, statement: str) -> list[Any]:
    """Rows of a statement, which commits."""
    url = database_url(stack)
    connection = psycopg2.connect(
        host=url.query["host"], user=url.username, password=url.password, dbname=url.database
    )
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
