"""Behind a real PgBouncer: transaction mode is detected and named, and works with DATABASE_DIRECT_URL."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import text

from analytics_worker.cli.worker import _warn_of_pooler
from analytics_worker.database import connections
from analytics_worker.database.connections import direct_connection, parse_url, warehouse
from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.database.libpq_url import libpq_parameters
from analytics_worker.database.pooler import changes_sessions
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.delivery.store import delivery_store
from analytics_worker.doctor import database
from analytics_worker.exporter import ops_reader
from analytics_worker.settings import settings
from flows.dbt._failures import DbtProjectError
from flows.dbt._lock import DbtLock, DbtRunningError
from flows.reports.runs.store import open_run_store
from tests.support.consumers import CONSUMERS
from tests.support.doctor_findings import problems
from tests.support.pgbouncer import Pooled
from tests.support.sql import query

SESSIONS = 4  # as many as the pool has
HELD = "select count(*) from pg_locks where locktype = 'advisory' and granted"
CHANGED = "select string_agg(name || ' = ' || setting, ', ') from pg_settings where source = 'session' and name <> 'application_name'"


def use(monkeypatch: pytest.MonkeyPatch, **urls: str) -> None:
    for name, url in urls.items():
        monkeypatch.setenv(name, url)
    settings.cache_clear()
    connections.dispose()


@pytest.fixture
def transactions(
    pooled: Pooled, environment: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """DATABASE_URL leads to PgBouncer in transaction mode, DATABASE_DIRECT_URL to the server."""
    url = pooled("transaction")
    use(monkeypatch, DATABASE_URL=url, DATABASE_DIRECT_URL=environment)
    yield url
    connections.dispose()


def settings_left(url: str) -> list[str]:
    """What earlier clients have left in the pooled sessions."""
    with ExitStack() as stack:
        opened = [stack.enter_context(direct_connection(parse_url(url))) for _ in range(SESSIONS)]
        return [str(one.scalar(text(CHANGED)) or "") for one in opened]


def test_only_transaction_mode_changes_sessions(pooled: Pooled, environment: str):
    found = {
        mode: changes_sessions(libpq_parameters(pooled(mode)))
        for mode in ("transaction", "session")
    }
    assert found == {"transaction": True, "session": False}
    assert not changes_sessions(libpq_parameters(environment))


@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_doctor_and_the_worker_name_the_variable_and_the_fix(
    pooled: Pooled,
    environment: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    mode: str,
):
    url = pooled(mode)
    use(monkeypatch, DATABASE_URL=url)
    found = problems(database.sessions())
    _warn_of_pooler()
    assert bool(found) == (mode == "transaction")
    assert ("DATABASE_URL leads to a connection pooler" in caplog.text) == bool(found)
    if found:
        assert found["sessions"].fix.startswith("Set DATABASE_DIRECT_URL to the address")
    use(monkeypatch, DATABASE_DIRECT_URL=environment, READER_DATABASE_URL=url)
    found = problems(database.sessions())
    assert bool(found) == (mode == "transaction")
    assert all("READER_DATABASE_URL leads" in finding.message for finding in found.values())


def test_dbt_is_refused_where_its_lock_would_be_void(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
):
    use(monkeypatch, DATABASE_URL=pooled("transaction"))
    with DbtLock() as lock, pytest.raises(DbtProjectError, match="set DATABASE_DIRECT_URL"):
        lock.acquire()


def test_one_run_of_dbt_holds_the_lock_in_session_mode(
    pooled: Pooled, monkeypatch: pytest.MonkeyPatch
):
    use(monkeypatch, DATABASE_URL=pooled("session"))
    holds_the_lock_alone()


def test_session_mode_needs_nothing_else(
    pooled: Pooled, environment: str, monkeypatch: pytest.MonkeyPatch
):
    use(monkeypatch, DATABASE_URL=pooled("session"), READER_DATABASE_URL=environment)
    assert {consumer.__name__ for consumer in CONSUMERS if consumer("select 1") != "1"} == set()
    with delivery_store("alerts") as sender, open_run_store() as reports:
        assert query("select ops.sender_is_alive(:o)", o=sender.owner) == [True]
        assert query("select ops.report_worker_lives(:o)", o=reports._worker) == [True]
    assert query(HELD) == [0]
    connections.dispose()  # whose idle sessions keep connections of the pool
    assert not problems(database.sessions())


@pytest.mark.usefixtures("transactions")
def test_one_run_of_dbt_holds_the_lock_past_the_pooler():
    holds_the_lock_alone()
    assert dbt_environment()["DBT_HOST"].startswith("/")  # the socket of the server


def holds_the_lock_alone() -> None:
    with DbtLock() as lock, DbtLock() as other:
        lock.acquire()
        with pytest.raises(DbtRunningError):
            other.acquire()
    with DbtLock() as lock:
        lock.acquire()
    assert query(HELD) == [0]


@pytest.mark.usefixtures("transactions")
def test_senders_and_report_workers_live_as_long_as_their_sessions():
    with delivery_store("alerts") as sender, open_run_store() as reports:
        for _ in range(SESSIONS + 1):
            assert query("select ops.sender_is_alive(:o)", o=sender.owner) == [True]
            assert query("select ops.report_worker_lives(:o)", o=reports._worker) == [True]
    assert query(HELD) == [0]


def test_nothing_is_left_in_pooled_sessions(transactions: str):
    with delivery_store("alerts"), reader_session() as reader, warehouse() as connection:
        assert connection.scalar(text("show statement_timeout")) == "2min"
        assert reader.fetch("select current_setting('statement_timeout')").rows == [("10s",)]
        list(ops_reader.rows("channels"))
    assert settings_left(transactions) == [""] * SESSIONS


def test_a_statement_limit_in_a_pooled_session_would_be_seen(transactions: str):
    """The test above can fail."""
    parameters: dict[str, Any] = dict(libpq_parameters(transactions))
    with closing(psycopg2.connect(**parameters)) as connection:
        connection.autocommit = True
        connection.cursor().execute("select set_config('statement_timeout', '1234', false)")
    assert any("1234" in left for left in settings_left(transactions))
