"""A real PgBouncer before the session's PostgreSQL, in transaction or session mode; skips where it is missing."""

import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from analytics_worker.stack.postgres.server import EmbeddedPostgres
from tests.support.ports import free_port
from tests.support.wait_until import wait_until

MISSING = "no pgbouncer on this host (Debian: apt install pgbouncer)"
CONFIGURATION = """
[databases]
* = host={socket} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
auth_type = scram-sha-256
auth_file = {users}
pool_mode = {mode}
default_pool_size = 4
max_client_conn = 50
unix_socket_dir =
"""
Pooled = Callable[[str], str]


def program() -> str | None:
    """Path of the installed program."""
    return shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin")


@contextmanager
def pgbouncer(postgres: EmbeddedPostgres, url: str, mode: str, folder: Path) -> Generator[str]:
    """Run PgBouncer before the server; yields the URL of the database through it."""
    own, port = make_url(url), free_port()
    folder.mkdir(parents=True, exist_ok=True)
    users, configuration = folder / "users.txt", folder / "pgbouncer.ini"
    users.write_text(f'"{own.username}" "{own.password}"\n')
    socket = own.query["host"]
    configuration.write_text(CONFIGURATION.format(socket=socket, port=port, users=users, mode=mode))
    path = program()
    assert path, MISSING
    with (folder / "log").open("wb") as log:
        command = [*postgres.account.prefix, path, str(configuration)]  # it refuses to run as root
        process = subprocess.Popen(command, stdout=log, stderr=log)
    pooled = own.set(host="127.0.0.1", port=port, query={})
    try:
        wait_until(lambda: _answers(pooled.render_as_string(hide_password=False)), timeout=30)
        yield pooled.render_as_string(hide_password=False)
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    try:
        psycopg2.connect(url.replace("+psycopg2", "")).close()
    except psycopg2.OperationalError:
        return False
    return True


@pytest.fixture
def pooled(postgres: EmbeddedPostgres, environment: str, tmp_path: Path) -> Iterator[Pooled]:
    """Return a function that starts PgBouncer in a mode and returns the URL of the test's database."""
    if program() is None:
        pytest.skip(MISSING)
    with ExitStack() as stack:
        yield lambda mode: stack.enter_context(
            pgbouncer(postgres, environment, mode, tmp_path / mode)
        )
