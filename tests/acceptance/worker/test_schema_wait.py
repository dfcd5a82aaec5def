"""A worker that starts before the migration waits for it; one that is older than the tables refuses to start."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from analytics_worker.migrations import head, known_revisions, upgrade
from analytics_worker.stack.postgres.cluster import OWNER
from tests.support.backups import execute
from tests.support.case_runs import Workspace
from tests.support.notify_socket import NotifySocket
from tests.support.postgres import administer, database_on
from tests.support.processes import Process
from tests.support.revisions import upgrade_to
from tests.support.wait_until import wait_until

Start = Callable[..., Process]


@pytest.fixture
def database(postgres) -> Iterator[str]:
    """A database without schema ops."""
    name = f"waiting_{os.getpid()}"
    administer(postgres, "create database {name} owner {owner}", name=name, owner=OWNER)
    yield database_on(postgres, name)
    administer(postgres, "drop database {name} with (force)", name=name)


@pytest.mark.parametrize("revision", [None, known_revisions()[-2]])
def test_a_worker_waits_for_the_migration(
    database: str, pool: Workspace, start_worker: Start, tmp_path: Path, revision: str | None
):
    if revision:
        upgrade_to(database, revision)
    with NotifySocket(tmp_path / "notify") as systemd:
        worker = start_worker(DATABASE_URL=database, **systemd.variables)
        wait_until(
            systemd.is_ready_and_alive, timeout=60
        )  # the command that starts it need not wait
    found = f"is at revision {revision}" if revision else "does not exist"
    line = (
        f" {found}; this version needs {head()}. No runs are claimed until `analytics-worker migr"
    )
    assert line in worker.output()
    run = pool.submit("ok")
    upgrade(database)
    assert pool.wait(run).name == "Completed"
    assert worker.output().count("this version needs") == 1


def test_a_worker_that_is_older_than_the_tables_refuses(database: str, start_worker: Start):
    upgrade(database)
    execute(database, "update ops.alembic_version set version_num = '9999_later'")
    worker = start_worker(DATABASE_URL=database)
    wait_until(lambda: worker.ended() is not None, timeout=60)
    assert worker.ended() == 1
    assert "is at revision '9999_later', which this version of the worker does" in worker.output()
    assert "Update this checkout to the version that migrated it" in worker.output()
    assert "Traceback" not in worker.output()


def test_an_unavailable_database_is_no_reason_to_wait(pool: Workspace, start_worker: Start):
    start_worker(DATABASE_URL="postgresql://ann:secret@127.0.0.1:1/kpis")
    assert pool.wait(pool.submit("ok")).name == "Completed"
