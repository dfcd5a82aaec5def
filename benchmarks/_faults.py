"""Five faults, each of which is over when its function returns."""

import time
from collections.abc import Callable, Sequence
from contextlib import closing

import psycopg2
from sqlalchemy import make_url

from benchmarks._fault_sides import Side
from benchmarks._warehouse import execute
from tests.support.contrib_postgres import ContribPostgres

Fault = Callable[[ContribPostgres, Sequence[Side]], None]

TIMES, PAUSE_SECONDS = 5, 5.0
EXHAUSTED_SECONDS = 20.0
KILL_BACKENDS = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend'
"""


def restart_database(postgres: ContribPostgres, _sides: Sequence[Side]) -> None:
    """Restart PostgreSQL, which ends every session."""
    postgres.restart()


def kill_backends(postgres: ContribPostgres, _sides: Sequence[Side]) -> None:
    """End every session, several times."""
    for _ in range(TIMES):
        with closing(_connect(postgres)) as connection:
            execute(connection, KILL_BACKENDS)
        time.sleep(1)


def exhaust_connections(postgres: ContribPostgres, _sides: Sequence[Side]) -> None:
    """Take all connections that are free, those reserved for superusers too, and keep them."""
    connections = list[psycopg2.extensions.connection]()
    until = time.monotonic() + EXHAUSTED_SECONDS
    try:
        while time.monotonic() < until:
            try:
                connections.append(_connect(postgres))
            except psycopg2.OperationalError:
                time.sleep(0.1)
    finally:
        for connection in connections:
            connection.close()
    assert connections, "no connection was free"


def kill_worker(_postgres: ContribPostgres, sides: Sequence[Side]) -> None:
    """Kill each worker with SIGKILL."""
    for side in sides:
        side.worker.kill()


def kill_worker_repeatedly(postgres: ContribPostgres, sides: Sequence[Side]) -> None:
    """Kill each worker several times, a few seconds apart."""
    for _ in range(TIMES):
        kill_worker(postgres, sides)
        time.sleep(PAUSE_SECONDS)


FAULTS: dict[str, Fault] = {
    "database restarted": restart_database,
    "backends killed": kill_backends,
    "connections exhausted": exhaust_connections,
    "worker killed": kill_worker,
    "worker killed repeatedly": kill_worker_repeatedly,
}


def _connect(postgres: ContribPostgres) -> psycopg2.extensions.connection:
    url = make_url(postgres.plain_url).set(drivername="postgresql")
    connection = psycopg2.connect(url.render_as_string())
    connection.autocommit = True
    return connection
