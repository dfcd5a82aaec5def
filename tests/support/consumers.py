"""Everything of the project that connects to the analytics database: each runs one statement its own way."""

import os
import subprocess
import sys
from collections.abc import Callable

from sqlalchemy import text
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.database.connections import reader, warehouse
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.exporter import ops_reader
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.account import packaged_postgres
from tests.support.contrib_postgres import installed

PROFILE = """
import os, sys, psycopg2
sys.path.insert(0, "flows/dbt")
import _process_main
if sys.argv[2:] == ["worker"]:
    _process_main.guard_connections("dbt", {})
with psycopg2.connect(
    host=os.environ["DBT_HOST"], port=os.environ["DBT_PORT"], user=os.environ["DBT_USER"],
    dbname=os.environ["DBT_DBNAME"], sslmode=os.environ["DBT_SSLMODE"],
    password=os.environ["DBT_ENV_SECRET_PASSWORD"],
).cursor() as cursor:
    cursor.execute(sys.argv[1])
    print(cursor.fetchone()[0])
"""
"""Connects as dbt does with the project's profiles.yml."""


def engine(statement: str) -> str:
    with warehouse() as connection:
        return str(connection.scalar(text(statement)))


def session_of_locks(statement: str) -> str:
    with warehouse(autocommit=True) as connection:
        return str(connection.scalar(text(statement)))


def reader_transaction(statement: str) -> str:
    with reader() as connection:
        return str(connection.scalar(text(statement)))


def user_sql(statement: str) -> str:
    with reader_session() as session:
        ((value,),) = session.fetch(statement).rows
        return str(value)


def exporter(statement: str) -> str:
    with ops_reader._connection(ops_reader.connection_arguments() or {}) as connection:
        cursor = connection.cursor()
        cursor.execute(statement)
        return str((cursor.fetchone() or [None])[0])


def psql(statement: str) -> str:
    program = str((installed() or packaged_postgres()) / "bin/psql")  # the packaged one has no TLS
    return output([program, "-XAtw", "-c", statement], shell_variables())


def dbt_of_the_worker(statement: str) -> str:
    return output([sys.executable, "-c", PROFILE, statement, "worker"], dbt_environment())


def dbt_of_a_shell(statement: str) -> str:
    return output([sys.executable, "-c", PROFILE, statement], shell_variables())


def shell_variables() -> dict[str, str]:
    """What `eval "$(analytics-worker env)"` sets."""
    lines = CliRunner().invoke(app, ["env"]).stdout
    shown = subprocess.run(
        ["/bin/bash", "-c", f"{lines}\nenv -0"], check=True, capture_output=True, text=True
    )
    pairs = [line.partition("=") for line in shown.stdout.split("\0") if line]
    return {name: value for name, _, value in pairs}


def output(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
        cwd=settings().dbt_project_path.parent,
    )
    if done.returncode:
        raise ConnectionError(done.stderr)
    return done.stdout.strip()


CONSUMERS: list[Callable[[str], str]] = [
    *(engine, session_of_locks, reader_transaction, user_sql, exporter),
    *(psql, dbt_of_the_worker, dbt_of_a_shell),
]
