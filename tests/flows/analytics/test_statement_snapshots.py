"""Deltas of pg_stat_statements, against a PostgreSQL that has it."""

import os
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest

from analytics_worker.database import connections
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from flows.analytics import update_query_statistics
from flows.analytics.query_statistics import snapshot_statements
from tests.flows.analytics.conftest import run
from tests.support.attacks import attack

BIN = next(
    iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), Path("/nonexistent")
)
EXTENSION = Path("/usr/share/postgresql") / BIN.parent.name / "extension/pg_stat_statements.control"
# PostgreSQL refuses to run as root; in a user namespace of its own it does not see that it is.
PREFIX = ["unshare", "--user", "--map-user=1", "--map-group=1"] if os.geteuid() == 0 else []

pytestmark = pytest.mark.skipif(
    not EXTENSION.exists() or (bool(PREFIX) and not shutil.which("unshare")),
    reason="no PostgreSQL with pg_stat_statements below /usr/lib/postgresql",
)


def pg(program: str, *arguments: str) -> None:
    subprocess.run(
        [*PREFIX, str(BIN / program), *arguments], check=True, stdout=subprocess.DEVNULL, timeout=60
    )


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Data and socket of a server with the extension loaded."""
    place = tmp_path_factory.mktemp("pg")
    pg("initdb", "-D", f"{place}/data", "-A", "trust", "-U", "postgres", "--no-sync")
    options = f"-k {place} -c listen_addresses='' -c shared_preload_libraries=pg_stat_statements -c fsync=off"
    pg("pg_ctl", "start", "-w", "-D", f"{place}/data", "-l", f"{place}/log", "-o", options)
    yield place
    pg("pg_ctl", "stop", "-m", "immediate", "-D", f"{place}/data")


@pytest.fixture
def url(directory, monkeypatch, tmp_path):
    with closing(
        psycopg2.connect(host=str(directory), user="postgres", dbname="postgres")
    ) as admin:
        admin.autocommit = True
        run(admin, "drop database if exists statements with (force)")
        run(admin, "create database statements")
    address = f"postgresql+psycopg2://postgres@/statements?host={directory}"
    monkeypatch.setenv("DATABASE_URL", address)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    settings.cache_clear()
    connections.dispose()
    upgrade(address)
    yield address
    connections.dispose()


@pytest.fixture
def session(directory, url):  # noqa: ARG001  # the database that it connects to
    with closing(
        psycopg2.connect(host=str(directory), user="postgres", dbname="statements")
    ) as own:
        own.autocommit = True
        run(own, "create schema extensions; create extension pg_stat_statements schema extensions")
        run(own, "select extensions.pg_stat_statements_reset()")
        yield own


MINE = """
select s.calls, s.rows from ops.query_statistics as s inner join ops.query_texts as t using (query_id)
where t.query like 'select generate_series%' order by s.taken_at
"""


def _snapshot():
    snapshot = snapshot_statements.fn(50)["snapshot"]
    assert snapshot
    return snapshot


def test_an_interval_counts_what_happened_in_it(session):
    for _ in range(3):
        run(session, "select generate_series(1, 5)")
    first = _snapshot()
    for _ in range(2):
        run(session, "select generate_series(1, 7)")
    second = _snapshot()
    third = _snapshot()
    assert run(session, MINE) == [(3, 15), (2, 14)]
    since = [snapshot["since"] or "" for snapshot in (first, second, third)]
    assert since == sorted(set(since))
    assert run(
        session, "select count(*) from ops.query_texts where query like 'select generate%'"
    ) == [(1,)]


def test_a_reset_in_between_starts_from_zero(session):
    for _ in range(3):
        run(session, "select generate_series(1, 5)")
    snapshot_statements.fn(50)
    run(session, "select extensions.pg_stat_statements_reset()")
    run(session, "select generate_series(1, 5)")
    snapshot_statements.fn(50)
    assert run(session, MINE) == [(3, 15), (1, 5)]


def test_only_the_top_is_stored_but_all_is_counted(session):
    run(session, "select generate_series(1, 5)")
    run(session, "select pg_sleep(0.2)")
    snapshot = snapshot_statements.fn(1)["snapshot"]
    assert snapshot
    assert snapshot["stored"] == 1 < snapshot["statements"]
    assert run(session, "select query from ops.query_texts") == [("select pg_sleep($1)",)]
    run(session, "select generate_series(1, 5)")
    snapshot_statements.fn(50)
    assert run(session, MINE) == [(1, 5)]


@attack(
    by="API caller",
    what="passwords of CREATE ROLE in the kept query texts",
    answer="not kept",
)
def test_passwords_are_not_kept(session):
    run(session, "create role nobody password 'hunter2'; drop role nobody")
    snapshot_statements.fn(50)
    assert run(session, "select count(*) from ops.query_texts where query like '%%hunter2%%'") == [
        (0,)
    ]


@pytest.mark.usefixtures("url")
def test_an_extension_that_is_not_created_is_not_available():
    statements = snapshot_statements.fn(50)
    assert statements["snapshot"] is None
    assert "CREATE EXTENSION pg_stat_statements" in statements.get("not_available", "")


@pytest.mark.usefixtures("session", "prefect_api")
def test_the_run_shows_the_statements():
    result = update_query_statistics()
    assert result["status"] == "success"
    assert result["statements"]["snapshot"]
    assert "calls took" in result["message"]
