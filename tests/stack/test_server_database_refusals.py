"""A server whose PostgreSQL can't be used says so in one line, before anything is started."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg2
import pytest

from tests.support.certificates import Certificate, make_certificate
from tests.support.contrib_postgres import MISSING, USER, ContribPostgres, installed
from tests.support.lone_server import LoneServer
from tests.support.ports import free_port

VARIABLE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
PASSWORD = "p@ss/w:o%r#d 1"
SETUP = f"""
create role secured login password '{PASSWORD}';
create role reader login;
create database plain;
"""
RESTRICT = """
revoke create on schema public from public;
revoke create, temporary on database plain from public;
"""
HBA = "host all secured all scram-sha-256\nhost all all all trust\nlocal all all trust\n"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[int]:
    """A PostgreSQL where one role has a password, and another one may do nothing."""
    if installed() is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("refusals")
    rules = folder / "hba.conf"
    rules.write_text(HBA)
    folder.chmod(0o755)
    chosen = free_port()
    settings = certificate.postgres_settings(chosen) | {"hba_file": str(rules)}
    with ContribPostgres(folder / "pg", durable=False, **settings):
        execute(chosen, USER, SETUP)
        execute(chosen, "plain", RESTRICT)
        yield chosen


def execute(port: int, database: str, statements: str) -> None:
    connection = psycopg2.connect(host="127.0.0.1", port=port, user=USER, dbname=database)
    connection.autocommit = True
    with connection.cursor() as cursor:
        for statement in filter(str.strip, statements.split(";")):
            cursor.execute(statement)
    connection.close()


def refused(folder: Path, url: str) -> str:
    """Return the only line that the server says."""
    server = LoneServer(folder, **{VARIABLE: url})
    server.start()
    try:
        assert server._process
        assert server._process.wait(120) == 1, server.output()
    finally:
        server.end()
    lines = server.output().strip().splitlines()
    assert len(lines) == 1, server.output()
    assert lines[0].startswith(f"error: {VARIABLE} "), lines
    return lines[0]


def test_a_wrong_password(port: int, tmp_path: Path):
    line = refused(tmp_path, f"postgresql+asyncpg://secured:wr0ng@127.0.0.1:{port}/plain")
    assert "(127.0.0.1, database plain) does not answer: " in line
    assert 'password authentication failed for user "secured"' in line
    assert "wr0ng" not in line


def test_a_password_that_is_not_encoded(port: int, tmp_path: Path):
    line = refused(tmp_path, f"postgresql+asyncpg://secured:{PASSWORD}@127.0.0.1:{port}/plain")
    assert "the user name or password contains @ / % #. Percent-encode it" in line
    assert PASSWORD not in line
    assert "ss/w" not in line


def test_a_host_that_does_not_exist(tmp_path: Path):
    line = refused(tmp_path, "postgresql+asyncpg://a:secret@db.invalid/prefect")
    assert "(db.invalid, database prefect) does not answer: could not translate host name" in line


def test_nothing_that_listens(tmp_path: Path):
    line = refused(tmp_path, f"postgresql+asyncpg://a:secret@127.0.0.1:{free_port()}/prefect")
    assert "Connection refused" in line


def test_a_database_that_does_not_exist(port: int, tmp_path: Path):
    line = refused(tmp_path, f"postgresql+asyncpg://reader@127.0.0.1:{port}/absent")
    assert 'database "absent" does not exist' in line
    assert "unset it: the server then keeps its data in SQLite." in line


def test_another_certificate_authority(port: int, tmp_path: Path):
    other = make_certificate(tmp_path)
    tls = f"sslmode=verify-full&sslrootcert={other.path}"
    line = refused(tmp_path / "s", f"postgresql://reader@127.0.0.1:{port}/plain?{tls}")
    assert "certificate verify failed" in line


@pytest.mark.parametrize("parameter", ["application_name", "sslmodus"])
def test_a_parameter_that_the_driver_does_not_know(port: int, tmp_path: Path, parameter: str):
    line = refused(tmp_path, f"postgresql://reader@127.0.0.1:{port}/plain?{parameter}=x")
    assert f"has the parameter {parameter!r}, which the server's driver, asyncpg" in line


def test_a_role_that_may_create_nothing(port: int, tmp_path: Path):
    line = refused(tmp_path, f"postgresql+asyncpg://reader@127.0.0.1:{port}/plain")
    assert "`GRANT USAGE, CREATE ON SCHEMA public TO reader`" in line
    assert "a superuser, or the owner of the database, runs `CREATE EXTENSION pg_trgm`" in line
    assert "in the database plain" in line


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_the_usual_schemes_and_an_encoded_password_start(port: int, tmp_path: Path, scheme: str):
    name = f"of_{scheme}"
    execute(port, USER, f"create database {name} owner secured")
    login = f"secured:{quote(PASSWORD, safe='')}"
    url = f"{scheme}://{login}@127.0.0.1:{port}/{name}"
    with LoneServer(tmp_path, **{VARIABLE: url}) as server:
        assert PASSWORD not in server.output()
    execute(port, name, "select from flow_run")
