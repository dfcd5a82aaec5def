"""What goes wrong with one view stops what depends on it, says what to do, and nothing else."""

import time
from contextlib import closing
from threading import Thread

import pytest

from analytics_worker.database.connections import warehouse
from flows.analytics import refresh_materialized_views
from flows.analytics._refresh import ViewDroppedError, refresh
from flows.analytics._refresh_errors import PermanentRefreshError, RefreshError
from flows.analytics._views import View, materialized_views
from tests.flows.analytics.conftest import connect, run
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("environment", "running_statements")


@pytest.fixture
def view(sql):
    """Make one with a query; it can be refreshed concurrently if the query has a column id."""

    def make(query: str = "select 1 as id") -> View:
        sql(f"create materialized view analytics.kpi as {query} with no data")
        with warehouse() as connection:
            return materialized_views(connection, ["analytics"])[0]

    return make


@pytest.mark.usefixtures("prefect_api")
def test_a_failed_view_stops_only_what_depends_on_it(sql):
    sql(
        "create table raw.t (id integer); insert into raw.t values (1), (1);"
        "create materialized view analytics.a_bad as select id from raw.t with no data;"
        "create unique index on analytics.a_bad (id);"
        "create materialized view analytics.b_on_bad as select * from analytics.a_bad with no data;"
        "create materialized view analytics.c_on_b as select * from analytics.b_on_bad with no data;"
        "create materialized view analytics.d_fine as select id from raw.t with no data;"
    )
    state = refresh_materialized_views(return_state=True)
    result = state.result(raise_on_failure=False)
    assert (state.name, result["status"]) == ("Partial", "partial")
    assert result["summary"] == {"total": 4, "successful": 1, "failed": 1, "skipped": 2}
    assert [(row["status"], row["reason"]) for row in result["results"][1:3]] == [
        ("skipped", "it reads analytics.a_bad, which failed"),
        ("skipped", "it reads analytics.b_on_bad, which failed"),
    ]
    assert "Make the query unique in the columns of the index" in result["results"][0]["error"]
    assert sql("select count(*) from ops.refresh_log where status = 'failed'") == [(1,)]


def test_duplicates_are_explained(sql, view):
    sql("create table raw.t (id integer); insert into raw.t values (1)")
    kpi = view("select id from raw.t")
    sql("create unique index on analytics.kpi (id); refresh materialized view analytics.kpi")
    sql("insert into raw.t values (1)")
    with pytest.raises(PermanentRefreshError, match="unique index does not allow"):
        refresh(kpi, "test")
    assert sql("select * from analytics.kpi") == [(1,)]
    status, mode, error = sql("select status, mode, error from ops.refresh_log")[0]
    assert (status, mode) == ("failed", "concurrently")
    assert "Make the query unique" in error


def test_a_view_dropped_during_the_run_is_named(sql, view):
    kpi = view()
    sql("drop materialized view analytics.kpi")
    with pytest.raises(ViewDroppedError, match=r"analytics\.kpi was dropped during the run"):
        refresh(kpi, "test")
    assert sql("select status, error from ops.refresh_log") == [
        ("failed", "analytics.kpi was dropped during the run")
    ]


def test_a_view_that_was_rebuilt_during_the_run_is_refreshed(sql, view):
    kpi = view()
    sql(
        "drop materialized view analytics.kpi; create materialized view analytics.kpi as select 2 as id"
    )
    assert refresh(kpi, "test")["status"] == "success"


def test_an_unpopulated_view_is_filled(sql, view):
    result = refresh(view(), "test")
    assert (result["mode"], result["reason"]) == (
        "plain",
        "test; plain, because it was never populated",
    )
    assert sql("select * from analytics.kpi") == [(1,)]


def test_a_missing_privilege_names_the_cure(view, superuser):
    kpi = view()
    superuser("alter materialized view analytics.kpi owner to postgres")
    with pytest.raises(
        PermanentRefreshError, match=r"Not allowed to refresh analytics\.kpi .*GRANT MAINTAIN"
    ):
        refresh(kpi, "test")
    superuser("grant maintain on analytics.kpi to analytics")
    assert refresh(kpi, "test")["status"] == "success"


def test_an_error_in_the_query_is_told_in_its_own_words(view):
    kpi = view("select 1 / (count(*) - 1) as id from generate_series(1, 1)")
    with pytest.raises(RefreshError, match=r"analytics\.kpi: division by zero"):
        refresh(kpi, "test")


def test_a_query_that_takes_too_long_is_stopped(view, limits):
    limits(refresh_statement_timeout_seconds=1)
    with pytest.raises(
        RefreshError, match=r"statement timeout.*REFRESH_STATEMENT_TIMEOUT_SECONDS is 1"
    ):
        refresh(view("select pg_sleep(60)::text as id"), "test")


def test_a_query_that_someone_cancels_is_not_said_to_take_too_long(view, sql):
    kpi = view("select pg_sleep(60)::text as id")
    running = "from pg_stat_activity where query like 'refresh %' and state = 'active'"

    def cancel() -> None:
        wait_until(lambda: sql(f"select pg_cancel_backend(pid) {running}"), 30)

    canceller = Thread(target=cancel)
    canceller.start()
    with pytest.raises(
        RefreshError, match=r"due to user request \(someone cancelled it: pg_cancel"
    ):
        refresh(kpi, "test")
    canceller.join()


def test_a_locked_view_fails_after_the_lock_timeout_and_names_who_holds_it(
    sql, view, limits, session
):
    kpi = view()
    limits(lock_timeout_seconds=1)
    run(session, "set application_name = 'some dashboard'; begin; lock table ops.catalog_changes")
    run(session, "alter materialized view analytics.kpi set (fillfactor = 90)")
    with pytest.raises(
        RefreshError, match=r"stayed locked for 1 s by pid \d+ \(some dashboard, idle in"
    ) as failed:
        refresh(kpi, "test")
    assert failed.value.attempt is not None
    assert failed.value.attempt.wait_seconds >= 1
    assert sql("select wait_seconds >= 1 from ops.refresh_log") == [(True,)]


def test_a_locked_view_is_waited_for(view, session):
    kpi = view()
    run(
        session,
        "begin; select pg_advisory_xact_lock(1); alter materialized view analytics.kpi set (fillfactor = 90)",
    )
    results = []
    refreshing = Thread(target=lambda: results.append(_refresh_in_thread(kpi)))
    refreshing.start()
    wait_until(
        lambda: run(
            session,
            "select 1 from pg_locks where relation = 'analytics.kpi'::regclass and not granted",
        )
    )
    time.sleep(0.3)
    run(session, "commit")
    refreshing.join(30)
    assert results[0]["status"] == "success"
    assert results[0]["wait_seconds"] > 0


def _refresh_in_thread(view: View):
    from flows.analytics import _cancellation  # noqa: PLC0415

    _cancellation.current.set(_cancellation.RunningStatements())
    return refresh(view, "test")


def test_readers_get_through_while_a_plain_refresh_waits(sql, view, session, environment):
    """A REFRESH in the queue would keep them all waiting until the first reader is done."""
    kpi = view()
    sql("refresh materialized view analytics.kpi")
    run(session, "begin; select * from analytics.kpi")
    results = []
    refreshing = Thread(target=lambda: results.append(_refresh_in_thread(kpi)))
    refreshing.start()
    with closing(connect(environment)) as reader:
        waiting = (
            "select 1 from pg_locks where relation = 'analytics.kpi'::regclass and not granted"
        )
        wait_until(lambda: run(session, waiting))
        for _ in range(5):
            run(reader, "set statement_timeout = '20s'; select * from analytics.kpi")
    assert not results
    run(session, "commit")
    refreshing.join(30)
    assert results[0]["status"] == "success"


def test_a_second_caller_records_that_it_is_running(sql, view, session):
    kpi = view()
    run(session, "insert into ops.locks (name) values ('view analytics.kpi')")
    run(session, "begin; select from ops.locks where name = 'view analytics.kpi' for update")
    result = refresh(kpi, "test")
    assert (result["status"], result["reason"]) == (
        "skipped",
        "already running: another run is refreshing it",
    )
    assert sql("select status from ops.refresh_log") == [("skipped",)]
