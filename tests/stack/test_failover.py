"""The primary is lost and its standby promoted: with both in DATABASE_URL nothing is lost, and all continue."""

import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress

import pytest
from sqlalchemy.exc import SQLAlchemyError

from analytics_worker.circuit_breaker import CircuitOpenError, db_circuit_breaker
from analytics_worker.database import connections
from analytics_worker.database.replicas import replayed_until_sql
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from tests.support.consumers import CONSUMERS
from tests.support.replication import Replication
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

ADDRESS = "select host(inet_server_addr())"
WRITERS = 3


@pytest.fixture
def both(replication: Replication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replication]:
    """DATABASE_URL names both servers; a COMMIT is on both of them."""
    monkeypatch.setenv("DATABASE_URL", replication.url)
    monkeypatch.setattr(db_circuit_breaker, "reset_timeout", 1)
    settings.cache_clear()
    connections.dispose()
    execute("create table ops.written (number text primary key)")
    upgrade(replication.url)
    replication.await_commits()
    yield replication
    connections.dispose()


@contextmanager
def writers() -> Generator[list[str]]:
    """Let threads write all the time; yields what was committed, as they know it."""
    committed: list[str] = []
    end = threading.Event()

    def write(name: str) -> None:
        number = 0
        while not end.is_set():
            number += 1
            with suppress(SQLAlchemyError, CircuitOpenError):
                execute("insert into ops.written values (:number)", number=f"{name}-{number}")
                committed.append(f"{name}-{number}")

    threads = [threading.Thread(target=write, args=(f"w{n}",)) for n in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        yield committed
    finally:
        end.set()
        for thread in threads:
            thread.join(60)


def test_nothing_is_lost_and_everything_continues_on_the_other_server(both: Replication):
    addresses = {consumer.__name__: consumer(ADDRESS) for consumer in CONSUMERS}
    assert set(addresses.values()) == {both.primary.host}
    with writers() as committed:
        wait_until(lambda: len(committed) > 100, 60)
        both.primary.kill()
        (lost_at,) = both.standby.administer("select clock_timestamp()")[0]
        wait_until(lambda: db_circuit_breaker.current_state != "closed", 60)
        wait_until(lambda: both.standby.administer(replayed_until_sql()) < [(lost_at,)], 60)
        before = len(committed)
        both.standby.administer("select pg_promote()")
        wait_until(lambda: len(committed) > before + 100, 60)
    assert db_circuit_breaker.current_state == "closed"
    assert not set(committed) - set(query("select number from ops.written"))
    addresses = {consumer.__name__: consumer(ADDRESS) for consumer in CONSUMERS}
    assert set(addresses.values()) == {both.standby.host}
