"""Clients of a server repeat their requests while its PostgreSQL takes no connections."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http import HTTPStatus
from pathlib import Path

import httpx
import psycopg2
import pytest
from sqlalchemy import make_url

from tests.support.contrib_postgres import MISSING, ContribPostgres, installed, server_on
from tests.support.processes import Server
from tests.support.wait_until import wait_until

END_OTHERS = """
    select pg_terminate_backend(pid) from pg_stat_activity
    where backend_type = 'client backend' and pid <> all(%s)
"""


@pytest.fixture
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContribPostgres]:
    if installed() is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("pg")
    with ContribPostgres(folder, durable=False, max_connections="30") as started:
        yield started


@pytest.fixture
def server(postgres: ContribPostgres, tmp_path: Path) -> Iterator[Server]:
    with server_on(postgres, tmp_path / "server") as started:
        yield started


def connect(postgres: ContribPostgres) -> psycopg2.extensions.connection:
    url = make_url(postgres.plain_url).set(drivername="postgresql")
    connection = psycopg2.connect(url.render_as_string())
    connection.autocommit = True
    return connection


def statuses(server: Server, requests: int = 5) -> set[int]:
    url = f"{server.api_url}/flow_runs/filter"
    return {httpx.post(url, json={}, timeout=60).status_code for _ in range(requests)}


def test_connections_are_exhausted(postgres: ContribPostgres, server: Server):
    with ExitStack() as stack:
        taken = [stack.enter_context(closing(connect(postgres)))]

        def the_server_has_none() -> bool:
            """End its sessions, and take all that is free."""
            with taken[0].cursor() as cursor:
                cursor.execute(END_OTHERS, ([each.info.backend_pid for each in taken],))
                ended = cursor.rowcount
            with suppress(psycopg2.OperationalError):
                while True:
                    taken.append(stack.enter_context(closing(connect(postgres))))
            return not ended

        wait_until(the_server_has_none, 30)
        found = statuses(server)
    assert found == {HTTPStatus.SERVICE_UNAVAILABLE}
    wait_until(lambda: statuses(server, 1) == {HTTPStatus.OK}, 30)


def test_it_is_stopped(postgres: ContribPostgres, server: Server):
    postgres._stop()  # and started again below
    assert statuses(server) == {HTTPStatus.SERVICE_UNAVAILABLE}
    postgres._start()
    wait_until(lambda: statuses(server, 1) == {HTTPStatus.OK}, 30)
