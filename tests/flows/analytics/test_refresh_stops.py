"""A run that ends, however it ends, leaves no REFRESH behind, and its log is settled."""

import signal
import subprocess
import sys

import pytest

from analytics_worker.database.connections import warehouse
from flows.analytics import _refresh_log_store, refresh_materialized_views
from flows.analytics._cancellation import RunCancelledError, RunningStatements
from flows.analytics._refresh import refresh
from flows.analytics._views import materialized_views
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("environment")

SLOW = """
create function raw.slow() returns integer volatile language sql as 'select pg_sleep(120); select 1';
create materialized view analytics.slow as select raw.slow() as id with no data;
create materialized view analytics.after as select id from analytics.slow with no data;
"""
RUNNING = (
    "select 1 from pg_stat_activity where state = 'active' and query ~ '^refresh materialized view'"
)
KILLED = """
from flows.analytics import _cancellation
from flows.analytics._refresh import refresh
from flows.analytics._views import materialized_views
from analytics_worker.database.connections import warehouse

_cancellation.current.set(_cancellation.RunningStatements())
with warehouse() as connection:
    view = materialized_views(connection, ["analytics"])[-1]
refresh(view, "test")
"""


@pytest.mark.usefixtures("prefect_api")
def test_a_run_that_times_out_stops_its_refresh(sql):
    sql(SLOW)
    hurried = refresh_materialized_views.with_options(timeout_seconds=4)
    state = hurried(return_state=True)
    assert state.is_failed()
    wait_until(lambda: not sql(RUNNING))
    assert sql("select view_name, status, error from ops.refresh_log") == [
        ("slow", "failed", "The run was cancelled")
    ]


def test_a_cancelled_run_starts_nothing(sql, running_statements):
    sql(SLOW)
    with warehouse() as connection:
        view = materialized_views(connection, ["analytics"])[-1]
    running_statements.cancel()
    with pytest.raises(RunCancelledError):
        refresh(view, "test")
    assert sql("select status from ops.refresh_log") == [("failed",)]


def test_cancelling_twice_is_harmless():
    run = RunningStatements()
    run.cancel()
    run.cancel()
    with pytest.raises(RunCancelledError):
        run.check()


def test_a_killed_process_leaves_no_refresh_and_the_next_run_settles_its_row(sql):
    sql(SLOW)
    child = subprocess.Popen([sys.executable, "-c", KILLED])
    try:
        wait_until(lambda: sql(RUNNING), timeout=60)
        _refresh_log_store.settle_orphans()
        assert sql("select status from ops.refresh_log") == [("running",)]  # it is at work
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    wait_until(lambda: not sql(RUNNING), timeout=20)
    _refresh_log_store.settle_orphans()
    assert sql("select status, error, finished_at is not null from ops.refresh_log") == [
        ("failed", "The process ended before it could report", True)
    ]
