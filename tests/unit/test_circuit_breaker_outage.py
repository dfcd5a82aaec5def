"""If the breakers' SQLite file is missing, unusable or full, calls continue, and it is used again later."""

import logging
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from analytics_worker.breakers.fail_open import FailOpenStore
from analytics_worker.breakers.sqlite import FILE_CHECK_SECONDS, SqliteStore
from analytics_worker.circuit_breaker import CircuitBreaker, CircuitOpenError, StoreUnreachableError
from tests.support.wait_until import wait_until


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "breakers.sqlite"


def breaker_on(path: Path, pause_seconds: float = 0.0) -> CircuitBreaker:
    store = FailOpenStore(SqliteStore(path), pause_seconds)
    return CircuitBreaker("service", fail_max=3, reset_timeout=600, store=store)


def fail() -> None:
    raise ConnectionError


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(breaker.fail_max):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
    with pytest.raises(CircuitOpenError):
        breaker.call(fail)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_an_unusable_file_is_logged_once_and_memory_is_used_until_it_is_replaced(
    path: Path, caplog: pytest.LogCaptureFixture
):
    path.parent.mkdir()
    path.write_bytes(b"this is no database" * 100)
    breaker = breaker_on(path)
    trip(breaker)
    assert breaker.get_stats()["store"] == "memory"
    assert len(warnings_in(caplog)) == 1
    assert str(path) in warnings_in(caplog)[0]
    path.unlink()
    breaker.call(lambda: None)
    assert breaker.get_stats()["store"] == "sqlite"


def test_calls_are_admitted_if_the_folder_cannot_be_created(path: Path):
    path.parent.write_text("a file where the folder should be")
    breaker = breaker_on(path)
    trip(breaker)
    path.parent.unlink()
    trip(breaker)
    assert breaker.get_stats()["store"] == "sqlite"


def test_operations_of_an_operator_never_use_memory(path: Path):
    path.parent.write_text("a file where the folder should be")
    with pytest.raises(StoreUnreachableError, match=str(path)):
        breaker_on(path).reset()
    with pytest.raises(StoreUnreachableError):
        breaker_on(path).force_open()


def test_on_a_full_disk_failures_count_in_memory_until_there_is_room(path: Path):
    """A limit on the size of files makes every write fail as on a full disk."""
    trip(breaker_on(path))
    breaker_on(path).reset()
    program = f"""
import resource
from pathlib import Path
from tests.unit.test_circuit_breaker_outage import breaker_on, trip
breaker = breaker_on(Path({str(path)!r}))
breaker.call(int)
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
trip(breaker)
assert breaker.get_stats()["store"] == "memory", breaker.get_stats()
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
trip(breaker)
assert breaker.get_stats()["store"] == "sqlite", breaker.get_stats()
"""
    subprocess.run([sys.executable, "-c", program], check=True)
    assert breaker_on(path).get_stats()["trips_total"] == 2


def test_a_failure_is_not_lost_when_the_file_breaks_during_the_call(path: Path):
    breaker = CircuitBreaker(
        "service", fail_max=1, store=FailOpenStore(SqliteStore(path), pause_seconds=600)
    )

    def break_the_file_and_fail() -> None:
        shutil.rmtree(path.parent)
        path.parent.write_text("a file where the folder should be")
        wait_until(lambda: time.monotonic() - started > FILE_CHECK_SECONDS)
        fail()

    started = time.monotonic()
    with pytest.raises(ConnectionError):
        breaker.call(break_the_file_and_fail)
    with pytest.raises(CircuitOpenError):
        breaker.call(fail)


def test_a_deleted_file_is_opened_again(path: Path):
    breaker = breaker_on(path)
    trip(breaker)
    shutil.rmtree(path.parent)
    wait_until(lambda: breaker.current_state == "closed")
    trip(breaker)
    assert breaker_on(path).current_state == "open"


def test_a_clock_that_was_set_back_restarts_the_wait(path: Path):
    breaker = breaker_on(path)
    trip(breaker)
    with sqlite3.connect(path) as connection:
        connection.execute("update breaker set waiting_since = waiting_since + 86400")
    connection.close()
    with pytest.raises(CircuitOpenError) as raised:
        breaker.call(fail)
    assert 0 < raised.value.retry_after <= 600


def test_a_forked_child_shares_the_breaker_but_no_connection_with_its_parent(path: Path):
    shared = SqliteStore(path)
    breaker = CircuitBreaker("service", fail_max=3, store=FailOpenStore(shared))
    breaker.call(lambda: None)
    parents = shared._connections.opened
    child = os.fork()
    if child == 0:
        try:
            trip(breaker)
            os._exit(any(mine is one for mine in shared._connections.opened for one in parents))
        finally:
            os._exit(2)  # in every case: the child must not continue as a second pytest
    assert os.waitpid(child, 0)[1] == 0
    with pytest.raises(CircuitOpenError):
        breaker.call(fail)
    assert breaker.get_stats()["failures_total"] == 3
