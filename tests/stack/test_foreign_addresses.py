"""Services, passfiles, Unix sockets and several hosts: migration, pool, reader, exporter and dbt connect."""

from typing import Any
from urllib.parse import quote

import psycopg2
import pytest
from sqlalchemy import text

from analytics_worker.database import connections
from analytics_worker.database.connections import warehouse
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.exporter.connection_args import connection_arguments
from analytics_worker.migrations import migrate
from analytics_worker.settings import settings
from flows.dbt._process_main import with_parameters
from tests.support.foreign_warehouse import PASSWORD


@pytest.fixture
def files(foreign, tmp_path, monkeypatch):
    """Connect by service and passfile; the URL has neither user nor password."""
    socket = foreign.administrator.query["host"]
    passfile, services = tmp_path / "pass file", tmp_path / "services"
    for role in (foreign.owner, foreign.dba):
        with passfile.open("a") as file:
            file.write(f"*:*:{foreign.database}:{role}:{PASSWORD}\n")
    passfile.chmod(0o600)
    services.write_text(f"[shop]\nhost={socket}\ndbname={foreign.database}\nuser={foreign.owner}\n")
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    return f"passfile={quote(str(passfile), safe='')}"


def addresses(foreign, files):
    socket, database = foreign.administrator.query["host"], quote(foreign.database)
    user, encoded = quote(foreign.owner), quote(str(socket), safe="")
    yield (
        f"postgresql:///?service=shop&{files}",
        f"postgresql:///?service=shop&{files}&user={quote(foreign.dba)}",
    )
    for hosts in (encoded, f"%2Fnone,{encoded}"):
        url = f"postgresql://{{}}@{hosts}/{database}?{files}&target_session_attrs=read-write"
        yield url.format(user), url.format(quote(foreign.dba))


def test_everything_connects(foreign, files, monkeypatch):
    for url, reader in addresses(foreign, files):
        monkeypatch.setenv("DATABASE_URL", url)
        monkeypatch.setenv("READER_DATABASE_URL", reader)
        settings.cache_clear()
        connections.dispose()
        assert migrate().revision
        with warehouse() as connection:
            assert connection.scalar(text("select current_user::text")) == foreign.owner
        with reader_session() as session:
            assert session.fetch("select current_user::text").rows == [(foreign.dba,)]
        exporter = connection_arguments()
        assert exporter
        psycopg2.connect(**exporter).close()
        for name, value in dbt_environment().items():
            monkeypatch.setenv(name, value)
        asked = {name: dbt_environment()[variable] for name, variable in DBT.items()}
        options: dict[str, Any] = with_parameters(asked)
        psycopg2.connect(**options).close()


DBT = {
    "host": "DBT_HOST",
    "port": "DBT_PORT",
    "user": "DBT_USER",
    "password": "DBT_ENV_SECRET_PASSWORD",
    "dbname": "DBT_DBNAME",
}
