"""A warehouse with a small sample that dbt has built once; every test gets a copy to change.

The copy always has the same name: dbt parses everything anew when a connection variable changes.
"""

import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from analytics_worker.settings import project_root
from analytics_worker.stack.postgres.cluster import OWNER
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from analytics_worker.stack.sample import load_sample
from tests.dbt_project.invocation import Invocation, invoke
from tests.support.postgres import administer, database_on

NAME, BUILT = "dbt_project", "dbt_project_built"
OPPORTUNITIES = 3000
COPY = "create database {name} owner {owner} template {template}"


@dataclass(frozen=True)
class Warehouse:
    """A database, a copy of the dbt project, and dbt to run the one on the other."""

    url: str
    project: Path

    def dbt(self, *arguments: str) -> Invocation:
        """Run dbt; its target and logs are in the copy."""
        url = make_url(self.url)
        environment = {
            "DBT_HOST": str(url.query["host"]),
            "DBT_USER": url.username or "",
            "DBT_ENV_SECRET_PASSWORD": url.password or "",
            "DBT_DBNAME": url.database or "",
            "DBT_PROJECT_DIR": str(self.project),
            "DBT_PROFILES_DIR": str(self.project),
            "PGOPTIONS": "-c lock_timeout=30s",  # waiting for a reader is a failure, not a hang
        }
        return invoke(list(arguments), environment)

    def run(self, *arguments: str) -> Invocation:
        """``dbt run`` that has to succeed."""
        ran = self.dbt("run", *arguments)
        assert ran.success, ran
        return ran

    @contextmanager
    def connect(self) -> Generator[Connection]:
        """A transaction that commits at the end."""
        with create_engine(self.url, poolclass=NullPool).begin() as connection:
            yield connection

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.connect() as connection:
            return [tuple(row) for row in connection.execute(text(query))]

    def value(self, query: str) -> Any:
        """The only value of a query."""
        return self.rows(query)[0][0]

    def execute(self, *statements: str) -> None:
        """Run statements in one transaction."""
        with self.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))

    def relations(self) -> dict[str, int]:
        """Oid of every view and materialized view that dbt made or has retired."""
        return dict(
            self.rows("""
                select format('%s.%s', relnamespace::regnamespace, relname), oid from pg_class
                where relkind in ('v', 'm')
                and relnamespace in ('staging'::regnamespace, 'analytics'::regnamespace,
                    'public'::regnamespace)
            """)
        )

    @contextmanager
    def edited(self, path: str, old: str, new: str) -> Generator[None]:
        """The project with one text replaced, as long as the block lasts."""
        file = self.project / path
        before = file.read_text()
        assert old in before
        file.write_text(before.replace(old, new))
        try:
            yield
        finally:
            file.write_text(before)


@pytest.fixture(scope="session")
def built(
    postgres: EmbeddedPostgres,
    template_database: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, Invocation]:
    """The project's copy, and what the first ``dbt build`` on the sample did."""
    project = tmp_path_factory.mktemp("dbt") / "project"
    ignored = shutil.ignore_patterns("target", "logs", "dbt_packages")
    shutil.copytree(project_root() / "dbt_project", project, ignore=ignored)
    administer(postgres, COPY, name=NAME, owner=OWNER, template=template_database)
    warehouse = Warehouse(database_on(postgres, NAME), project)
    with warehouse.connect() as connection:
        load_sample(connection, opportunities=OPPORTUNITIES)
    build = warehouse.dbt("build", "--show-all-deprecations")
    administer(postgres, "alter database {old} rename to {new}", old=NAME, new=BUILT)
    return project, build


@pytest.fixture
def warehouse(postgres: EmbeddedPostgres, built: tuple[Path, Invocation]) -> Iterator[Warehouse]:
    """A fresh copy of the built warehouse."""
    administer(postgres, COPY, name=NAME, owner=OWNER, template=BUILT)
    yield Warehouse(database_on(postgres, NAME), built[0])
    administer(postgres, "drop database {name} with (force)", name=NAME)
