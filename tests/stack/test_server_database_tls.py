"""A Prefect server whose PostgreSQL is verified, as the URLs of the warehouse have it."""

from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from analytics_worker.stack.prefect_database import for_psycopg2
from tests.support.certificates import Certificate
from tests.support.contrib_postgres import MISSING, USER, ContribPostgres, installed
from tests.support.lone_server import LoneServer
from tests.support.ports import free_port

VARIABLE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
SESSIONS = """
    select ssl from pg_stat_ssl join pg_stat_activity using (pid)
    where backend_type = 'client backend' and pid <> pg_backend_pid()
"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[int]:
    if installed() is None:
        pytest.skip(MISSING)
    chosen = free_port()
    with ContribPostgres(
        tmp_path_factory.mktemp("tls") / "pg",
        durable=False,
        **certificate.postgres_settings(chosen),
    ):
        yield chosen


def url(port: int, authority: Path) -> str:
    address = f"postgresql+asyncpg://{USER}@127.0.0.1:{port}/{USER}"
    return f"{address}?sslmode=verify-full&sslrootcert={authority}"


def test_every_connection_of_the_server_is_encrypted(
    port: int, certificate: Certificate, tmp_path: Path
):
    given = url(port, certificate.path)
    with LoneServer(tmp_path, **{VARIABLE: given}):
        plain = for_psycopg2(given).set(drivername="postgresql").render_as_string()
        connection = psycopg2.connect(plain)
        with connection, connection.cursor() as cursor:
            cursor.execute(SESSIONS)
            sessions = [encrypted for (encrypted,) in cursor.fetchall()]
        connection.close()
    assert sessions
    assert all(sessions)
