"""A real PostgreSQL with TLS and a CA of its own: each consumer verifies it, and none falls back to less.

The server takes connections without TLS, too: a consumer that loses a parameter would connect.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from analytics_worker.cli import app
from analytics_worker.database import connections
from analytics_worker.database.connections import direct_connection, parse_url, reader, warehouse
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.database.pooler import pooled_variables
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.doctor import runner
from analytics_worker.exporter import ops_reader
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from tests.support.certificates import Certificate, make_certificate
from tests.support.contrib_postgres import MISSING, USER, ContribPostgres, installed
from tests.support.ports import free_port

ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()"
PROFILE = """
import os, sys, psycopg2
sys.path.insert(0, "flows/dbt")
import _process_main
if sys.argv[1:] == ["worker"]:
    _process_main.guard_connections("dbt", {})
with psycopg2.connect(
    host=os.environ["DBT_HOST"], port=os.environ["DBT_PORT"], user=os.environ["DBT_USER"],
    dbname=os.environ["DBT_DBNAME"], sslmode=os.environ["DBT_SSLMODE"], password="",
).cursor() as cursor:
    cursor.execute("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
    print(cursor.fetchone()[0])
"""
"""Connects as dbt does with the project's profiles.yml."""


class Tls(NamedTuple):
    """URLs of one server: with its CA, and with another one."""

    right: str
    wrong: str


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Tls]:
    if installed() is None:
        pytest.skip(MISSING)
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    other = make_certificate(tmp_path_factory.mktemp("other"))
    certificate.key.chmod(0o600)
    options = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "ssl": "on",
        "ssl_cert_file": str(certificate.path),
        "ssl_key_file": str(certificate.key),
    }
    with ContribPostgres(folder / "pg", durable=False, **options):
        url = f"postgresql://{USER}@127.0.0.1:{port}/{USER}?sslmode=verify-full&sslrootcert="
        upgrade(f"{url}{certificate.path}", sample=True)
        yield Tls(f"{url}{certificate.path}", f"{url}{other.path}")


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    def set_url(url: str) -> None:
        monkeypatch.setenv("DATABASE_URL", url)
        settings.cache_clear()
        connections.dispose()

    yield set_url
    connections.dispose()


def engine() -> bool:
    with warehouse() as connection:
        return bool(connection.scalar(text(ENCRYPTED)))


def session_of_locks() -> bool:
    with warehouse(autocommit=True) as connection:
        return bool(connection.scalar(text(ENCRYPTED)))


def reader_transaction() -> bool:
    with reader() as connection:
        return bool(connection.scalar(text(ENCRYPTED)))


def user_sql() -> bool:
    with reader_session() as session:
        return session.fetch(ENCRYPTED).rows == [("t",)]


def exporter() -> bool:
    with ops_reader._connection(ops_reader.connection_arguments() or {}) as connection:
        cursor = connection.cursor()
        cursor.execute(ENCRYPTED)
        return bool(cursor.fetchone())


def pooler_check() -> bool:
    return not list(pooled_variables())


def doctor() -> bool:
    (first, *_) = runner._run_group("database", runner._database)
    if first.level != "ok":
        raise ConnectionError(first.message)
    return True


def psql() -> bool:
    program = f"{installed()}/bin/psql"
    return _output([program, "-XAtw", "-c", ENCRYPTED], _of_command()) == "t"


def dbt_of_the_worker() -> bool:
    return _output([sys.executable, "-c", PROFILE, "worker"], dbt_environment()) == "True"


def dbt_of_a_shell() -> bool:
    return _output([sys.executable, "-c", PROFILE], _of_command()) == "True"


def _of_command() -> dict[str, str]:
    """What `eval "$(analytics-worker env)"` sets."""
    lines = CliRunner().invoke(app, ["env"]).stdout
    shown = subprocess.run(
        ["/bin/bash", "-c", f"{lines}\nenv -0"], check=True, capture_output=True, text=True
    )
    pairs = [line.partition("=") for line in shown.stdout.split("\0") if line]
    return {name: value for name, _, value in pairs}


def _output(command: list[str], environment: dict[str, str]) -> str:
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


CONSUMERS = [
    *(engine, session_of_locks, reader_transaction, user_sql, exporter, pooler_check, doctor),
    *(psql, dbt_of_the_worker, dbt_of_a_shell),
]


@pytest.mark.parametrize("consumer", CONSUMERS, ids=lambda each: each.__name__)
def test_each_consumer_verifies_the_server(
    tls: Tls, use: Callable[[str], None], consumer: Callable[[], bool]
):
    use(tls.right)
    assert consumer()
    use(tls.wrong)
    with pytest.raises(Exception, match="certificate verify failed"):
        consumer()


def test_a_consumer_that_loses_a_parameter_would_connect(tls: Tls):
    """The test above can fail."""
    url = parse_url(tls.wrong)
    with direct_connection(url.set(query={"sslmode": "prefer"})) as connection:
        assert connection.scalar(text("select 1")) == 1
