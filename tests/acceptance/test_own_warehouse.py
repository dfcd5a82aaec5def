"""docs/own-warehouse.md, followed from a bare environment: every command as printed, in the order of the page.

The warehouse is a database whose owner is no superuser and may not create roles. Only what a reader would replace
is replaced: the address of the database, Slack's, and the folder of the dbt project.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from sqlalchemy.engine import make_url

from analytics_worker.settings import project_root
from tests.support.foreign_warehouse import ForeignWarehouse
from tests.support.http_sink import HttpSink
from tests.support.snippets import Snippet, snippets
from tests.support.stack import RunningStack
from tests.support.wait_until import wait_until

PAGE = "docs/own-warehouse.md"
OPTIONS = "--no-pipeline"
PASSWORD = "secret"
THEIRS = """
create schema sales;
create table sales.orders as
select date '2026-01-01' as due_on, cast(null as timestamptz) as shipped_at;
create materialized view sales.orders_by_day as
select due_on, count(*) as orders from sales.orders group by due_on;
"""
PROJECT = {"name": "shop", "profile": "shop", "models": {"+materialized": "table"}}
PROFILE = {
    "type": "postgres",
    "host": "{{ env_var('DBT_HOST') }}",
    "port": "{{ env_var('DBT_PORT') | int }}",
    "user": "{{ env_var('DBT_USER') }}",
    "password": "{{ env_var('DBT_ENV_SECRET_PASSWORD') }}",
    "dbname": "{{ env_var('DBT_DBNAME') }}",
    "schema": "marts",
}


class Follower:
    """A user who follows the page."""

    def __init__(self, warehouse: ForeignWarehouse, sink: HttpSink, stack: RunningStack) -> None:
        self.warehouse, self._sink, self._stack = warehouse, sink, stack
        self.folder = stack.state_dir.parent / "checkout"
        self.folder.mkdir()
        (self.folder / ".venv").symlink_to(sys.prefix)
        for name in ("Makefile", "pyproject.toml"):
            (self.folder / name).symlink_to(project_root() / name)
        self.output: list[str] = []
        self._variables = self.folder / "variables"
        self._shell: dict[str, str] = {}

    def env(self, block: Snippet) -> None:
        """Set the variables."""
        for line in block.text.splitlines():
            name, _, value = line.partition("=")
            self._stack.variables[name] = self._replaced(name, value)

    def _replaced(self, name: str, value: str) -> str:
        if name.endswith("DATABASE_URL"):
            url = make_url(value)
            mine = self.warehouse.url(url.username, str(url.password)).set(database=url.database)
            return mine.render_as_string(hide_password=False)
        places = {"ALERT_SLACK_URL": self._sink.url, "DBT_PROJECT_PATH": str(self.folder / "dbt")}
        return places.get(name, value)

    def sql(self, block: Snippet) -> None:
        self.warehouse.administer(block.text)

    def yaml(self, block: Snippet) -> None:
        """Write the definitions into the folder that the page names; the other file stays empty."""
        folder = self.folder / "definitions"
        folder.mkdir(exist_ok=True)
        for section in ("alerts", "thresholds", "reports"):
            file = folder / f"{section}.yml"
            if section in yaml.safe_load(block.text):
                file.write_text(block.text)
            elif not file.exists():
                file.write_text(f"{section}: []\n")

    def console(self, block: Snippet) -> None:
        """Run each command; it fails only if the page says so."""
        lines = block.text.splitlines()
        for line, following in zip(lines, [*lines[1:], ""], strict=True):
            if line.startswith("$ "):
                self._run(line.removeprefix("$ "), fails=following.startswith("error:"))

    def _run(self, command: str, *, fails: bool) -> None:
        if command == "make up":
            self._up()
            return
        script = f"{command}; env -0 > {self._variables}" if command.startswith("eval") else command
        done = subprocess.run(
            ["/bin/bash", "-c", script],
            cwd=self.folder,
            env=self._stack.environment | self._shell,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        self.output.append(f"$ {command}\n{done.stdout}{done.stderr}")
        assert (done.returncode != 0) == fails, "\n".join(self.output)
        if command.startswith("eval"):
            lines = self._variables.read_text().split("\0")
            self._shell = dict(line.split("=", 1) for line in lines if line)

    def _up(self) -> None:
        """`make up`, without the pipeline, which the commands of the page run."""
        self._stack.start(OPTIONS)


@pytest.fixture
def shop(postgres) -> Iterator[ForeignWarehouse]:
    """The database of the page, with its owner."""
    warehouse = Shop(make_url(postgres.superuser_url), "shop")
    warehouse.create()
    warehouse.run(THEIRS)
    yield warehouse
    warehouse.drop()


class Shop(ForeignWarehouse):
    """With the names of the page."""

    @property
    def owner(self) -> str:
        return "shop_owner"

    def url(self, role: str | None = None, password: str = PASSWORD):
        return super().url(role, password)

    def create(self) -> None:
        super().create()
        self.administer(f"alter role shop_owner password '{PASSWORD}'")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[RunningStack]:
    """A stack that the page starts."""
    stack = RunningStack(tmp_path / "state")
    yield stack
    if stack.process:
        stack.stop(signal.SIGTERM)


def dbt_project(folder: Path) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "dbt_project.yml").write_text(yaml.safe_dump(PROJECT))
    profiles = {"shop": {"target": "prod", "outputs": {"prod": PROFILE}}}
    (folder / "profiles.yml").write_text(yaml.safe_dump(profiles))
    (folder / "models/orders.sql").write_text("select * from sales.orders")


@pytest.mark.timeout(900)  # a stack and a dozen commands, each a new process
def test_the_page_works_as_printed(shop, http_sink, stack, monkeypatch):
    monkeypatch.delenv("READER_ROLE")
    follower = Follower(shop, http_sink, stack)
    dbt_project(follower.folder / "dbt")
    for language, block in page_blocks():
        getattr(follower, language)(block)
    assert "The role analytics_reader_shop is missing" in follower.output[0]
    assert shop.run("select count(*) from ops.catalog where schema_name = 'sales'") == [(2,)]
    refreshed = "select view_name from ops.refresh_log where status = 'success'"
    assert shop.run(refreshed) == [("orders_by_day",)]
    assert shop.run("select status, executed from ops.dbt_runs") == [("success", 1)]
    assert shop.run("select due_on::text from marts.orders") == [("2026-01-01",)]
    wait_until(lambda: "overdue-orders" in posted(http_sink), 150)
    assert "orders" in posted(http_sink)
    schemas = (
        "select nspname from pg_namespace where nspname !~ '^pg_|^information_schema$' order by 1"
    )
    assert shop.run(schemas) == [("marts",), ("ops",), ("public",), ("sales",)]


def page_blocks() -> list[tuple[str, Snippet]]:
    """The page's blocks in their order."""
    languages = ("env", "sql", "yaml", "console")
    blocks = [(name, each) for name in languages for each in snippets(name) if each.page == PAGE]
    return sorted(blocks, key=lambda pair: pair[1].line)


def posted(sink: HttpSink) -> str:
    return "\n".join(request.body.decode() for request in sink.requests)
