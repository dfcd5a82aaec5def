"""Locks of the worker, and a reader who knows every key that there is to know."""

from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import text

from analytics_worker.database.connections import engine, warehouse
from analytics_worker.delivery.store import delivery_store
from flows.analytics import _refresh_log_store
from flows.dbt._lock import DbtLock, DbtRunningError
from flows.reports.runs.store import open_run_store
from tests.support.attacks import attack
from tests.support.sql import query

pytestmark = pytest.mark.usefixtures("usual_grants")

SEEN = "select classid::bigint << 32 | objid::bigint from pg_locks where locktype = 'advisory' and objsubid = 1"


@pytest.fixture
def reader(usual_grants):  # noqa: ARG001  # its database
    with closing(engine("reader").raw_connection()) as connection:
        driver: Any = connection.driver_connection
        driver.autocommit = True
        cursor = connection.cursor()
        yield lambda sql: cursor.execute(sql) or (cursor.fetchall() if cursor.description else [])
        cursor.execute("rollback; select pg_advisory_unlock_all()")
        driver.autocommit = False


@attack(
    by="author",
    what="pg_advisory_lock with the key of dbt that pg_locks showed last night, or one that is guessed",
    answer="the nightly dbt runs: its key is new each time, and only the worker's role holds it",
)
def test_nobody_keeps_dbt_from_running(reader):
    reader("select pg_advisory_lock(hashtext('analytics-worker'), hashtext('dbt'))")
    with DbtLock() as lock:
        lock.acquire()
        ((key,),) = [(row[0],) for row in reader(SEEN)]
        with (
            DbtLock() as other,
            pytest.raises(DbtRunningError, match=r"already running on this warehouse: .+ since"),
        ):
            other.acquire()
    reader(f"select pg_advisory_lock({key})")
    for _ in range(2):
        with DbtLock() as lock:
            lock.acquire()
            assert len(reader(SEEN)) == 2


@attack(
    by="author",
    what="Advisory locks on the oid of a view, or with the key of an attempt that died",
    answer="the view is refreshed, the attempt is settled",
)
def test_nobody_keeps_a_view_from_being_refreshed(reader):
    entry = _refresh_log_store.start(
        schema_name="analytics", view_name="kpi", oid=4711, reason="test"
    )
    (key,) = query("select lock_key from ops.refresh_log")
    reader(f"select pg_advisory_lock({key}), pg_advisory_lock({0x6D766965}, 4711)")
    with warehouse() as connection:
        locked = text(
            "select from ops.locks where name = 'view analytics.kpi' for update skip locked"
        )
        assert connection.execute(locked).all() == [()]
    _refresh_log_store.settle_orphans()
    assert query("select id, status from ops.refresh_log") == [(entry.id, "failed")]


@attack(
    by="author",
    what="The advisory lock of a sender, or of a worker that makes reports, after it was killed",
    answer="what it had claimed is taken up again: only a session of the worker's role counts",
)
def test_nobody_makes_a_dead_worker_look_alive(reader):
    reader("select pg_advisory_lock(hashtext('ops.alert_deliveries'), hashtext('gone'))")
    reader("select pg_advisory_lock(hashtextextended('gone', 0))")
    reader("select pg_advisory_lock(hashtext('ops.report_runs'), hashtext('gone'))")
    assert query("select ops.report_worker_lives('gone')") == [False]
    holders = "select count(*) from ops.lock_holders(hashtext('ops.alert_deliveries'), hashtext(:o), 2::smallint)"
    assert query(holders, o="gone") == [0]
    assert query("select ops.sender_is_alive('gone')") == [False]
    with delivery_store("alerts") as store:
        assert query("select ops.sender_is_alive(:o)", o=store.owner) == [True]
    with open_run_store() as store:
        assert query("select ops.report_worker_lives(:o)", o=store._worker) == [True]


@attack(
    by="author",
    what="Row and table locks on ops.locks, its keys, its functions",
    answer="permission denied",
)
@pytest.mark.parametrize(
    "sql",
    [
        "select * from ops.locks",
        "select * from ops.locks for update",
        "begin; lock table ops.locks",
        "select ops.take_session_lock('dbt')",
    ],
)
def test_the_reader_has_nothing_in_ops(reader, sql):
    with pytest.raises(Exception, match=r"permission denied|read-only transaction"):  # the driver's
        reader(sql)
