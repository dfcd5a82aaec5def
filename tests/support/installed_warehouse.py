"""A foreign warehouse on the PostgreSQL that this host has installed, which has pg_dump and contrib."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy.engine import make_url

from analytics_worker.database.urls import parse_url
from tests.support.contrib_postgres import MISSING, ContribPostgres, installed
from tests.support.foreign_warehouse import ForeignWarehouse, foreign_warehouse


@pytest.fixture(scope="module")
def installed_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContribPostgres]:
    """The installed PostgreSQL, which asks for passwords."""
    if installed() is None:
        pytest.skip(MISSING)
    folder = tmp_path_factory.mktemp("installed") / "pg"
    with ContribPostgres(folder) as server:
        url = make_url(server.plain_url)
        with psycopg2.connect(host=str(folder), user=url.username, dbname="postgres") as connection:
            connection.cursor().execute(f"alter role {url.username} password 'secret'")
        (folder / "cluster/pg_hba.conf").write_text("local all all scram-sha-256\n")
        with psycopg2.connect(host=str(folder), user=url.username, dbname="postgres") as connection:
            connection.cursor().execute("select pg_reload_conf()")
        yield server


@pytest.fixture
def installed_warehouse(
    installed_postgres: ContribPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[ForeignWarehouse]:
    """A team's database there."""
    administrator = parse_url(make_url(installed_postgres.plain_url)).set(password="secret")
    yield from foreign_warehouse(administrator, monkeypatch, tmp_path)


def dumped_schema(warehouse: ForeignWarehouse) -> list[str]:
    """Statements of `pg_dump --schema-only` without schema ops; skips without pg_dump."""
    home = installed()
    program = home / "bin/pg_dump" if home else None
    if program is None or not program.exists():
        pytest.skip("no pg_dump on this host")
    url = warehouse.administrator
    options = ["--schema-only", "--exclude-schema=ops", "-h", str(url.query["host"])]
    done = subprocess.run(
        [program, *options, "-U", str(url.username), warehouse.database],
        env={"PGPASSWORD": str(url.password)},
        capture_output=True,
        text=True,
        check=True,
    )
    text = re.sub(r"^(--|\\\w*restrict).*\n", "", done.stdout, flags=re.MULTILINE)
    return [statement.strip() for statement in text.split(";\n") if statement.strip()]
