"""Writes of a run depend on its lease, up to the COMMIT."""

import time
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from analytics_worker import run_lease
from analytics_worker.database.connections import dispose, warehouse
from analytics_worker.run_lease import Instant, RunLease, RunLostError, hold
from tests.support.sql import query
from tests.support.wait_until import wait_until

ENDED = Instant(0, 0)
SESSIONS = "select count(*) from pg_stat_activity where pid = :pid"


pytestmark = pytest.mark.usefixtures("environment", "table")


@pytest.fixture
def table() -> Iterator[None]:
    with warehouse() as connection:
        connection.execute(text("create table raw.written (id int)"))
    yield
    run_lease._held.clear()


def write() -> None:
    with warehouse() as connection:
        connection.execute(text("insert into raw.written values (1)"))


def written() -> int:
    return query("select count(*) from raw.written")[0]


def lost() -> bool:
    raise RunLostError("the run is Crashed")


def test_a_write_after_the_end_of_the_lease_waits_for_the_server():
    answers = iter([False, True])
    with hold(RunLease(60, lambda: next(answers), ENDED)):
        write()
        write()  # the lease lasts again: no further question
    assert (written(), list(answers)) == (2, [])


def test_a_lost_run_writes_nothing_even_after_its_interruption():
    with pytest.raises(RunLostError), hold(RunLease(60, lost, ENDED)):
        write()
    with pytest.raises(RunLostError):  # as other threads of the run may try
        write()
    run_lease._held.clear()
    assert written() == 0


def test_a_run_that_is_lost_in_a_transaction_commits_nothing():
    def write_until_lost() -> None:
        with warehouse() as connection:
            connection.execute(text("insert into raw.written values (1)"))
            with pytest.raises(RunLostError):
                lease.renew()

    lease = RunLease(60, lost, Instant.now())
    with pytest.raises(RunLostError), hold(lease):
        write_until_lost()
    run_lease._held.clear()
    assert written() == 0


def test_a_process_that_is_stopped_after_the_check_commits_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    """The server confirms the run, and then the process continues only after a while."""
    monkeypatch.setattr(run_lease, "COMMIT_SECONDS", 1)
    pids: list[int] = []

    def confirm_late() -> bool:
        if pids:
            run_lease._held.clear()  # for the query of this test
            wait_until(lambda: query(SESSIONS, pid=pids[0]) == [0], timeout=30)
        return True

    def write_slowly() -> None:
        with warehouse() as connection:
            pids.extend(connection.execute(text("select pg_backend_pid()")).scalars())
            connection.execute(text("insert into raw.written values (1)"))
            end = time.monotonic() + 1
            wait_until(lambda: time.monotonic() > end)

    with pytest.raises(OperationalError), hold(RunLease(1, confirm_late, ENDED)):
        write_slowly()
    dispose()
    assert written() == 0


def test_the_start_of_the_process_is_measured():
    assert 0 < Instant.of_process_start().age() < 3600 * 5
    assert Instant.now().age() < 60
