"""PostgreSQL stopped in the middle of a flow: it retries, or fails fast until PostgreSQL recovers."""

from contextlib import closing, suppress
from threading import Thread

import psycopg2
import pytest
from prefect.client.schemas.objects import State

from analytics_worker.circuit_breaker import db_circuit_breaker
from analytics_worker.database import connections
from analytics_worker.database.connections import warehouse
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from flows.analytics import (
    _change_detection,
    cleanup_old_refresh_logs,
    refresh_catalog,
    refresh_log,
    refresh_materialized_views,
    update_query_statistics,
)
from flows.analytics._refresh import refresh
from flows.analytics._views import materialized_views
from tests.flows.analytics.conftest import RETRYING, connect, run
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.usefixtures("prefect_api")

DATA = """
create table raw.t (id integer);
create function raw.once() returns integer volatile language plpgsql as
'begin if current_setting(''test.slow'', true) = ''on'' then perform pg_sleep(60); end if; return 1; end';
create materialized view analytics.kpi as select raw.once() as id, count(*) as n from raw.t;
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with EmbeddedPostgres(tmp_path_factory.mktemp("outage"), durable=True) as postgres:
        yield postgres


@pytest.fixture
def url(server, tmp_path, monkeypatch):
    """The server, running, with fresh tables; a breaker of this test."""
    with suppress(psycopg2.OperationalError), closing(connect(server.superuser_url)):
        pass
    monkeypatch.setenv("DATABASE_URL", server.url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    settings.cache_clear()
    connections.dispose()
    with closing(connect(server.url)) as connection:
        run(connection, "drop schema if exists ops, raw, staging, analytics cascade")
    upgrade(server.url, sample=True)
    with closing(connect(server.url)) as connection:
        run(connection, DATA)
    yield server.url
    connections.dispose()


@pytest.fixture
def patient(monkeypatch):
    """Retries that leave the server the time to come back."""
    for task in RETRYING:
        monkeypatch.setattr(task, "retry_delay_seconds", [3, 3, 3][: task.retries])


def interrupted(server, url, flow, hold: str, waiting: str) -> State:
    """Run a flow, stop the server while it waits for a lock, start it again; the end of the run."""
    states = []
    holder = connect(url)
    run(holder, f"begin; {hold}")
    flowing = Thread(target=lambda: states.append(flow(return_state=True)))
    flowing.start()
    try:
        with closing(connect(url)) as observer:
            query = "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query ~* %s"
            wait_until(lambda: run(observer, query, (waiting,)), timeout=60)
    finally:
        server.stop()
        server.start()
    flowing.join(120)
    return states[0]


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("flow", "hold", "waiting"),
    [
        (refresh_catalog, "lock table ops.catalog_relations", "lock table ops.catalog"),
        (refresh_materialized_views, "lock table raw.t", "^refresh materialized view"),
        (update_query_statistics, "lock table raw.t", "^analyze"),
    ],
    ids=["catalog", "materialized views", "query statistics"],
)
def test_a_flow_that_loses_the_server_succeeds_when_it_is_back(server, url, flow, hold, waiting):
    state = interrupted(server, url, flow, hold, waiting)
    assert state.is_completed(), state.message
    assert state.result()["status"] == "success"


@pytest.mark.usefixtures("patient")
def test_an_interrupted_refresh_is_settled(server, url):
    interrupted(
        server, url, refresh_materialized_views, "lock table raw.t", "^refresh materialized"
    )
    with closing(connect(url)) as connection:
        log = run(connection, "select status, error from ops.refresh_log order by id")
    assert log == [("failed", "The process ended before it could report"), ("success", None)]


def test_a_cleanup_that_loses_the_server_is_red_and_can_be_repeated(server, url, monkeypatch):
    monkeypatch.setattr(refresh_log, "HISTORIES", ("refresh_log", "catalog_changes"))
    state = interrupted(
        server, url, cleanup_old_refresh_logs, "lock table ops.catalog_changes", "catalog_changes"
    )
    assert state.is_failed()
    assert cleanup_old_refresh_logs()["status"] == "success"


@pytest.mark.usefixtures("url")
def test_after_five_failures_runs_fail_fast_until_the_server_is_back(server):
    server.stop()
    try:
        states = [refresh_catalog(return_state=True) for _ in range(2)]
        assert [state.name for state in states] == ["Failed", "CircuitOpen"]
        for flow in (refresh_materialized_views, update_query_statistics, cleanup_old_refresh_logs):
            assert flow(return_state=True).name == "CircuitOpen"
    finally:
        server.start()
    db_circuit_breaker.half_open()  # as it does after a minute; its own tests wait for that
    assert refresh_catalog()["status"] == "success"
    assert db_circuit_breaker.get_stats()["state"] == "closed"


@pytest.mark.usefixtures("running_statements")
def test_a_crash_of_the_server_makes_the_statistics_worthless(server, url):
    """It loses the counters, so that they may look as they did before a change."""
    with closing(connect(url)) as connection:
        run(connection, "create materialized view analytics.plain as select * from raw.t")
    with warehouse() as connection:
        view = materialized_views(connection, ["analytics"])[-1]
    refresh(view, "test")
    connections.dispose()
    assert _change_detection.reasons_to_refresh([view.oid]) == {view.oid: None}
    with closing(connect(server.superuser_url)) as connection, suppress(psycopg2.Error):
        run(connection, "copy (select 1) to program 'kill -9 $PPID'")
    wait_until(server.is_ready, timeout=60)
    connections.dispose()
    expected = {view.oid: "the server or its statistics were restarted"}
    wait_until(lambda: _change_detection.reasons_to_refresh([view.oid]) == expected)
