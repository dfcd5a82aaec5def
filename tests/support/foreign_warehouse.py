"""A PostgreSQL database that a team has already: its owner is no superuser and may not create roles."""

import itertools
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2
import pytest
from sqlalchemy.engine import URL, make_url

from analytics_worker.database import connections
from analytics_worker.database.urls import parse_url
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.server import EmbeddedPostgres

PASSWORD = "their secret"
_numbers = itertools.count(1)


@dataclass(frozen=True)
class ForeignWarehouse:
    """A database, its owner, and roles of the same server."""

    administrator: URL
    database: str

    @property
    def owner(self) -> str:
        return f"{self.database} owner"

    @property
    def dba(self) -> str:
        """A role with tables and schemas of its own."""
        return f"{self.database} dba"

    @property
    def reader(self) -> str:
        """The role that the worker makes for this database."""
        return f"analytics_reader_{self.database}"

    def url(self, role: str | None = None, password: str = PASSWORD) -> URL:
        return self.administrator.set(
            username=role or self.owner, password=password, database=self.database
        )

    def text(self, role: str | None = None, password: str = PASSWORD) -> str:
        return self.url(role, password).render_as_string(hide_password=False)

    def run(self, statement: str, role: str | None = None) -> list[Any]:
        """Rows of a statement of the owner, or of another role; each commits."""
        return self._run(self.url(role), statement)

    def administer(self, statement: str, *, database: bool = True) -> list[Any]:
        """Rows of a statement of the superuser, in this database."""
        url = self.administrator
        return self._run(url.set(database=self.database) if database else url, statement)

    def acls(self) -> list[Any]:
        """Privileges and default privileges of everything outside schema ops."""
        return self.administer(
            "select 'r', oid::text, relacl::text from pg_class where relnamespace not in"
            " (select oid from pg_namespace where nspname ~ '^pg_|^information_schema$|^ops$')"
            " union all select 'n', nspname, nspacl::text from pg_namespace where nspname !~ '^pg_|^ops$'"
            " union all select 'd', defaclnamespace::text, defaclacl::text from pg_default_acl order by 1, 2"
        )

    @staticmethod
    def _run(url: URL, statement: str) -> list[Any]:
        connection = psycopg2.connect(
            host=url.query["host"], user=url.username, password=url.password, dbname=url.database
        )
        connection.autocommit = True
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def create(self) -> None:
        for role in (self.owner, self.dba):
            statement = f"create role \"{role}\" login password '{PASSWORD}'"
            self.administer(statement, database=False)
        create = f'create database "{self.database}" owner "{self.owner}" template template0'
        self.administer(create, database=False)

    def drop(self) -> None:
        self.administer(f'drop database "{self.database}" with (force)', database=False)
        like = f"rolname like '%{self.database}%'"
        for (role,) in self.administer(
            f"select rolname from pg_roles where {like}", database=False
        ):
            self.administer(f'drop role "{role}"', database=False)


@pytest.fixture
def foreign(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Iterator[ForeignWarehouse]:
    """A team's database, which the settings point at; the worker has not seen it yet."""
    administrator = parse_url(make_url(postgres.superuser_url))
    yield from foreign_warehouse(administrator, monkeypatch, tmp_path)


def foreign_warehouse(
    administrator: URL, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> Iterator[ForeignWarehouse]:
    """Create the database and drop it."""
    warehouse = ForeignWarehouse(administrator, f"shop {os.getpid()} {next(_numbers)}")
    warehouse.create()
    monkeypatch.setenv("DATABASE_URL", warehouse.text())
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    monkeypatch.delenv("READER_ROLE")
    settings.cache_clear()
    connections.dispose()
    yield warehouse
    connections.dispose()
    settings.cache_clear()
    warehouse.drop()
