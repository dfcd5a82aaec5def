"""The two sides of `faults`: this project's server and worker, and a procrastinate worker, on one PostgreSQL.

Each takes numbered jobs, and knows later which of them have ended, and when. Server and workers are supervised. A job
that could not be queued is queued again under the same key.
"""

import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from shutil import copy
from typing import Protocol

import httpx
import psycopg2
from sqlalchemy import make_url

from benchmarks import _record_flow
from benchmarks._other_environment import running
from benchmarks._queue_app import commands, create_database
from benchmarks._supervised import Supervised
from tests.support.case_runs import Workspace
from tests.support.contrib_postgres import ContribPostgres, server_on
from tests.support.prefect_server import worker_environment
from tests.support.processes import Process, our_worker

LIMIT = 8
"""Jobs that each side executes at a time."""
RETRY_SECONDS, SCHEMA_SECONDS = 0.5, 60
OUR_RUNS = """
    select cast(parameters ->> 'number' as int),
        case when state_type = 'COMPLETED' then extract(epoch from end_time) end
    from flow_run where parameters ->> 'number' is not null
"""
OTHER_JOBS = """
    select cast(args ->> 'number' as int),
        (select extract(epoch from max(at)) from procrastinate_events
            where job_id = procrastinate_jobs.id and type = 'succeeded')
    from procrastinate_jobs where task_name = 'record'
"""
EXECUTE = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"


class Side(Protocol):
    """A queue with a worker."""

    worker: Supervised
    name: str

    def submit(self, number: int) -> None:
        """Queue a job, however long it takes."""
        ...

    def completed(self) -> dict[int, list[float]]:
        """Return when each job that has completed has done so."""
        ...


class OurSide:
    """A deployed flow, the server and the worker."""

    name = "ours"

    def __init__(self, work: Workspace, worker: Supervised, database: str) -> None:
        self.worker = worker
        self._work = work
        self._database = database
        self._deployment = work.deploy("record")

    def submit(self, number: int) -> None:
        """Queue a run; the key lets the server recognize one that it has."""
        while True:
            try:
                self._work.client.create_flow_run_from_deployment(
                    self._deployment, parameters={"number": number}, idempotency_key=str(number)
                )
            except httpx.HTTPError:
                time.sleep(RETRY_SECONDS)
            else:
                return

    def completed(self) -> dict[int, list[float]]:
        """Return when each run has completed."""
        return _instants(self._database, OUR_RUNS)


class OtherSide:
    """Procrastinate's worker, and a process that queues its jobs."""

    name = "other"

    def __init__(
        self, worker: Supervised, client: "subprocess.Popen[bytes]", database: str
    ) -> None:
        self.worker = worker
        self._client = client
        self._database = database

    def submit(self, number: int) -> None:
        """Let the client queue a job; it repeats that until it works."""
        assert self._client.stdin
        assert self._client.stdout
        self._client.stdin.write(f"{number}\n".encode())
        self._client.stdin.flush()
        assert int(self._client.stdout.readline()) == number

    def completed(self) -> dict[int, list[float]]:
        """Return when each job has completed."""
        return _instants(self._database, OTHER_JOBS)


@contextmanager
def our_side(postgres: ContribPostgres, warehouse: str, folder: Path) -> Generator[OurSide]:
    """Run a supervised server and a supervised worker until the block ends."""
    with ExitStack() as stack:
        server = server_on(postgres, folder / "server")
        stack.enter_context(Supervised(server))
        work = Workspace(folder / "flows", server.api_url, "benchmark", limit=LIMIT)
        stack.callback(work.close)
        copy(str(_record_flow.__file__), work.directory / "record.py")
        environment = worker_environment(server, folder, DATABASE_URL=warehouse)
        worker = our_worker(work.pool, environment, folder / "worker.log")
        supervised = stack.enter_context(Supervised(worker))
        yield OurSide(work, supervised, _libpq(postgres))


@contextmanager
def other_side(postgres: ContribPostgres, warehouse: str, folder: Path) -> Generator[OtherSide]:
    """Run a supervised worker of procrastinate until the block ends."""
    command = commands("procrastinate")
    database = create_database(postgres, "procrastinate")
    variables = {"BENCH_DATABASE": database, "BENCH_WAREHOUSE": warehouse}
    with running(command.schema, variables) as schema:
        assert schema.wait(SCHEMA_SECONDS) == 0
    arguments = ["-c", EXECUTE, *command.worker, "--concurrency", str(LIMIT)]
    worker = Process(arguments, variables, folder / "other.log")
    record = [*command.submit[:-1], "record"]
    with Supervised(worker) as supervised, running(record, variables) as client:
        assert client.stdout
        assert client.stdout.readline() == b"ready\n"
        yield OtherSide(supervised, client, database)


def _libpq(postgres: ContribPostgres) -> str:
    return make_url(postgres.plain_url).set(drivername="postgresql").render_as_string()


def _instants(url: str, query: str) -> dict[int, list[float]]:
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        found: dict[int, list[float]] = {}
        for number, at in cursor.fetchall():
            found.setdefault(number, []).extend([float(at)] if at is not None else [])
        return found
