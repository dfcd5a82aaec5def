"""Run a job queue on PostgreSQL of another project (procrastinate, DBOS), each in a database of its own."""

import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg2
from psycopg2 import sql
from sqlalchemy import make_url

from benchmarks._other_environment import environment_python, running
from tests.support.contrib_postgres import ContribPostgres

READY_SECONDS = 60


class QueueApp:
    """A running worker, and a process that queues its jobs."""

    def __init__(self, client: "subprocess.Popen[bytes]") -> None:
        self._client = client

    def run_empty(self) -> float:
        """Return the seconds from the submission of an empty job until it has ended."""
        assert self._client.stdin
        assert self._client.stdout
        self._client.stdin.write(b"once\n")
        self._client.stdin.flush()
        return float(self._client.stdout.readline())


@dataclass(frozen=True)
class Commands:
    """The command lines of a library: create its tables, run a worker, queue jobs one at a time."""

    schema: list[str]
    worker: list[str]
    submit: list[str]


def commands(name: str) -> Commands:
    """Return the command lines of the named library."""
    module = [environment_python("queues"), "-m"]
    if name == "DBOS":
        dbos = [*module, "benchmarks._dbos_app"]
        return Commands([*dbos, "schema"], [*dbos, "worker"], [*dbos, "submit"])
    cli = [*module, "procrastinate", "--app", "benchmarks._procrastinate_app.app"]
    submit = [*module, "benchmarks._procrastinate_client", "submit"]
    return Commands([*cli, "schema", "--apply"], [*cli, "worker"], submit)


@contextmanager
def queue_app(name: str, postgres: ContribPostgres) -> Generator[QueueApp]:
    """Run a worker until the block ends."""
    command = commands(name)
    variables = {"BENCH_DATABASE": create_database(postgres, name.lower())}
    with running(command.schema, variables) as schema:
        assert schema.wait(READY_SECONDS) == 0, f"{name} did not create its tables"
    with running(command.worker, variables), running(command.submit, variables) as client:
        assert client.stdout
        assert client.stdout.readline() == b"ready\n", f"{name} did not start"
        yield QueueApp(client)


def create_database(postgres: ContribPostgres, name: str) -> str:
    """Create a database; return its URL, as libpq takes it."""
    url = make_url(postgres.plain_url).set(drivername="postgresql")
    connection = psycopg2.connect(url.render_as_string())
    connection.autocommit = True
    connection.cursor().execute(sql.SQL("create database {name}").format(name=sql.Identifier(name)))
    connection.close()
    return url.set(database=name).render_as_string()
