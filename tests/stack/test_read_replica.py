"""A read replica as READER_DATABASE_URL: user SQL runs on it, and its data is never shown as newer than it is."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta

import pytest

from analytics_worker.database import connections
from analytics_worker.database.connections import direct_connection, parse_url, reader_url
from analytics_worker.database.reader_sessions import reader_session
from analytics_worker.database.session_errors import ReplicationConflictError
from analytics_worker.doctor import database, reader_role
from analytics_worker.settings import settings
from flows.monitoring.checks.database import check_database
from flows.monitoring.checks.readers import check_readers
from flows.reports.definitions.model import After
from flows.reports.formats import open_snapshot
from flows.reports.output.data_age import data_state
from flows.reports.output.part_reads import part_reads
from flows.reports.runs.requests import run_request
from flows.reports.runs.store import open_run_store
from flows.reports.scheduling.data_arrival import missing_data
from flows.reports.scheduling.periods import period_at
from tests.flows.alerts.rules import rule, store, tick
from tests.flows.reports.reports import report, store_reports
from tests.support.doctor_findings import problems
from tests.support.replication import Replication, text
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

COUNTS = "select * from analytics.counts"
ON_REPLICA = "select count(*) as value from pg_stat_wal_receiver"
SLOW = "select count(*) as value from analytics.pages as p, generate_series(1, 2000000000) as g"
"""It reads the table, and takes longer than any test waits for it."""


@pytest.fixture
def replica(replication: Replication, monkeypatch: pytest.MonkeyPatch) -> Iterator[Replication]:
    """The settings name the primary, and the replica for user SQL."""
    primary, standby = replication.primary.address(), replication.standby
    monkeypatch.setenv("DATABASE_URL", text(primary))
    settings.cache_clear()
    connections.dispose()
    url = reader_url().set(drivername="postgresql", host=standby.host)
    monkeypatch.setenv("READER_DATABASE_URL", text(url))
    settings.cache_clear()
    connections.dispose()
    execute("create table analytics.pages as select 1 as n")
    execute("create materialized view analytics.counts as select count(*) from analytics.pages")
    execute("grant select on analytics.pages, analytics.counts to analytics_reader")
    replication.catch_up()
    yield replication
    execute("drop table analytics.pages cascade")
    execute("truncate ops.refresh_log, ops.completeness, ops.completeness_history")
    connections.dispose()


@pytest.fixture
def stopped(replica: Replication) -> Iterator[datetime]:
    """The replica replays nothing more since that time, and something was written meanwhile."""
    replica.standby.administer("select pg_wal_replay_pause()")
    paused = "select pg_get_wal_replay_pause_state()"
    wait_until(lambda: replica.standby.administer(paused) == [("paused",)], 30)
    (now,) = query("select clock_timestamp()")
    execute(
        "insert into ops.refresh_log (schema_name, view_name, view_oid, status, reason, finished_at)"
        " values ('analytics', 'counts', 1, 'success', 'changed', clock_timestamp())"
    )
    yield now
    replica.standby.administer("select pg_wal_replay_resume()")


def test_rules_and_reports_read_it_and_doctor_knows_what_it_is(replica: Replication):
    store(rule(sql=ON_REPLICA, threshold=0))
    tick(1)
    assert query("select reading from ops.alert_states") == [1]
    with open_snapshot() as snapshot:
        assert snapshot.replayed_until
        assert datetime.now(UTC) - snapshot.replayed_until < timedelta(minutes=1)
    findings = {finding.name: finding for finding in reader_role.readers()}
    assert not problems(findings.values())
    assert "reads a replica, 0 s behind" in findings["reader's replica"].message
    assert check_readers().status == "healthy"
    with direct_connection(parse_url(text(replica.standby.address()))) as connection:
        assert (
            "which can't be written to" in problems(database.primary(connection))["writes"].message
        )
        assert [*database.clock(connection)]


def test_the_replica_as_database_is_unhealthy(
    replica: Replication, monkeypatch: pytest.MonkeyPatch
):
    assert check_database().status == "healthy"
    monkeypatch.setenv("DATABASE_URL", text(replica.standby.address()))
    settings.cache_clear()
    finding = check_database()
    assert finding.status == "unhealthy"
    assert "target_session_attrs=read-write" in finding.fix


def test_sql_that_replication_cancels_is_retried(replica: Replication):
    """The row that the query reads is removed on the primary, and therefore on the replica."""

    def run() -> None:
        with reader_session() as session:
            session._fetch(SLOW, {}, timedelta(minutes=2), 10)

    reading = (  # with the snapshot that its cursor was opened with
        "select count(*) from pg_stat_activity where state = 'active' and query like '%fetch forward 11 %'"
        " and pid <> pg_backend_pid()"
    )
    with ThreadPoolExecutor(1) as pool:
        attempt = pool.submit(run)
        wait_until(lambda: replica.standby.administer(reading) == [(1,)], 60)
        replica.primary.administer("delete from analytics.pages")
        replica.primary.administer("vacuum analytics.pages")
        with pytest.raises(ReplicationConflictError, match="hot_standby_feedback"):
            attempt.result(60)
    with reader_session() as session:
        assert session.fetch("select count(*) from analytics.pages").rows == [("0",)]


def test_a_report_is_as_old_as_what_the_replica_shows(stopped: datetime):
    store_reports(report(sql=COUNTS))
    yesterday = period_at("daily", stopped - timedelta(days=1), "UTC")
    request = run_request(report(sql=COUNTS), "sales", "scheduled", yesterday)
    with open_run_store() as runs:
        run = runs.claim(runs.request_runs([request])[0].id)
        assert run
        with open_snapshot() as snapshot:
            reads = part_reads(snapshot, run)
            assert data_state(snapshot, run, reads).age.at is None
            for since in (stopped - timedelta(hours=1), datetime.now(UTC)):
                execute(
                    "insert into ops.completeness_history (schema_name, relation_name, since, complete_through)"
                    f" values ('analytics', 'counts', '{since}', '{since - timedelta(minutes=1)}')"
                )
            execute(
                "insert into ops.completeness (schema_name, relation_name, complete_through, basis, measured_at)"
                " values ('analytics', 'counts', now(), 'declared column', now())"
            )
            assert data_state(snapshot, run, reads).age.at == stopped - timedelta(
                hours=1, minutes=1
            )


def test_a_report_waits_for_the_replica(stopped: datetime, replica: Replication):
    after = After(views=["analytics.counts"], latest=time(23, 59))
    period = period_at("daily", stopped - timedelta(days=1), "UTC")
    waiting = report(sql=COUNTS, after=after.model_dump(mode="json"))
    assert missing_data(waiting, after, period) == ["no replication of it to the read replica"]
    replica.standby.administer("select pg_wal_replay_resume()")
    replica.catch_up()
    assert missing_data(waiting, after, period) == []
