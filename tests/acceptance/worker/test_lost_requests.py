"""A requested alert reaches its recipients once, if the process of its run is killed or stopped, or the database is."""

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from analytics_worker.database import connections
from analytics_worker.migrations import upgrade
from analytics_worker.settings import settings
from analytics_worker.stack.postgres.server import EmbeddedPostgres
from flows.monitoring.deployment_health.update import update_health
from flows.monitoring.lost_requests.detection import RERUN_TAG
from flows.monitoring.lost_requests.rerun import rerun_lost_requests
from tests.support import stopped_runs
from tests.support.case_runs import Workspace
from tests.support.http_sink import HttpSink
from tests.support.postgres_versions import server_of_tests
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker, wait_for_exit
from tests.support.sql import query
from tests.support.wait_until import wait_until

pytestmark = pytest.mark.timeout(300)

TRIGGER = "flows.alerts.trigger.trigger_alert"
THRESHOLD = "flows.alerts.threshold_alert.create_threshold_alert"
REPORT = "flows.reports.ad_hoc.generate_ad_hoc_report"
PASS = "select raw.pass_gate() as value"
ALERT = {"id": 7, "name": "Fell", "query": PASS, "threshold": 10, "operator": ">"}
LOCK_WAITS = (
    "select pid from pg_stat_activity"
    " where wait_event_type = 'Lock' and datname = current_database() and query like '%alert_rules%'"
)


@pytest.fixture
def postgres_of_test(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A PostgreSQL that a test may stop."""
    with server_of_tests(tmp_path / "postgres") as server:
        upgrade(server.url, sample=True)
        yield server


@pytest.fixture
def database(
    postgres_of_test: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    monkeypatch.setenv("DATABASE_URL", postgres_of_test.url)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "monitoring"))
    settings.cache_clear()
    connections.dispose()
    yield postgres_of_test.url
    connections.dispose()


@pytest.fixture
def server(prefect_server: Server, tmp_path: Path) -> Iterator[Server]:
    """A server whose pools have the names of this project's ones."""
    prefect_server.copy_database(tmp_path / "server")
    with Server(tmp_path / "server") as server:
        yield server


@pytest.fixture
def work(server: Server, database: str, http_sink: HttpSink, tmp_path: Path) -> Iterator[Workspace]:
    """The pool of alerts, whose worker's runs have short leases."""
    work = Workspace(tmp_path / "flows", server.api_url, "alerts")
    variables = worker_environment(
        server,
        tmp_path,
        DATABASE_URL=database,
        ALERT_WEBHOOK_URL=http_sink.url,
        WORKER_RUN_LEASE_SECONDS=str(stopped_runs.LEASE_SECONDS),
        REPORT_OUTPUT_DIR=str(tmp_path / "reports"),
    )
    with our_worker(work.pool, variables, tmp_path / "worker.log"):
        yield work
    work.close()


def request(work: Workspace, entrypoint: str, **parameters: Any) -> UUID:
    deployment = stopped_runs.deploy(work, entrypoint, [RERUN_TAG])
    return work.client.create_flow_run_from_deployment(deployment, parameters=parameters).id


def next_run(work: Workspace) -> UUID:
    """Do what the monitoring flow does every minute; return the run that it created."""
    monitor(work)
    (run,) = query("select next_run_id from ops.lost_requests order by ended_at desc limit 1")
    assert run is not None, query("select reason from ops.lost_requests")
    return UUID(str(run))


def monitor(work: Workspace) -> None:
    now = datetime.now(UTC)
    update_health(work.client, now)
    rerun_lost_requests(work.client, now)


def notified(sink: HttpSink) -> list[tuple[str, str]]:
    return [(posted.json["rule"], posted.json["kind"]) for posted in sink.requests]


def kill(work: Workspace, run: UUID) -> None:
    pid = work.pid(run)
    os.kill(pid, signal.SIGKILL)
    wait_for_exit(pid)
    assert work.wait(run).name == "Crashed"


def test_a_run_that_is_killed_before_its_evaluation(work: Workspace, http_sink: HttpSink):
    with stopped_runs.closed_gate():
        run = request(work, TRIGGER, alert_data=ALERT)
        stopped_runs.wait_at_gate(1)
        kill(work, run)
    again = next_run(work)
    assert work.wait(again).name == "Completed"
    assert notified(http_sink) == [("Fell", "firing")]
    monitor(work)
    assert query("select cause_name from ops.incidents where resolved_at is null") == []
    assert query("select count(*) from ops.lost_requests") == [1]


def test_a_run_whose_host_is_suspended_before_its_evaluation(work: Workspace, http_sink: HttpSink):
    with stopped_runs.closed_gate():
        run = request(work, TRIGGER, alert_data=ALERT)
        stopped_runs.wait_at_gate(1)
        pids = [work.pid(run)]
        stopped_runs.stop(pids)
        stopped_runs.declare_crashed(work, [run])
        again = next_run(work)
        wait_until(lambda: query(LOCK_WAITS), timeout=60, interval=0.1)
    stopped_runs.resume(pids)
    assert work.wait(again).name == "Completed"
    assert work.state(run).name == "Crashed"
    assert notified(http_sink) == [("Fell", "firing")]
    assert query("select count(*) from ops.alert_evaluations") == [1]


def test_a_run_that_is_killed_while_it_sends(work: Workspace, http_sink: HttpSink):
    data = ALERT | {"query": "select 11 as value"}
    with http_sink.pausing_answer(to=1) as answer:
        run = request(work, TRIGGER, alert_data=data)
        assert answer.wait(60)
        kill(work, run)
    assert work.wait(next_run(work)).name == "Completed"
    assert query("select count(*) from ops.alert_evaluations") == [1]
    wait_until(lambda: query("select status from ops.deliveries") == ["sent"], timeout=60)
    assert len(set(http_sink.keys())) == 1


def test_a_run_during_an_outage_of_the_database(
    work: Workspace, postgres_of_test: EmbeddedPostgres, http_sink: HttpSink
):
    threshold = {"id": "m", "metric_name": "mrr", "warning_threshold": 10, "comparison_operator": "<"}  # fmt: skip
    requested: dict[str, Any] = {"threshold_data": threshold, "current_value": 4, "status": "warning"}  # fmt: skip
    connections.dispose()
    postgres_of_test.stop()
    runs = [
        request(work, THRESHOLD, **requested),
        request(work, THRESHOLD, **requested | {"status": "kritical"}),
    ]
    assert [state.name for state in work.wait_all(runs)] == ["Failed", "Failed"]
    postgres_of_test.start()
    again = next_run(work)
    assert work.wait(again).name == "Completed"
    assert notified(http_sink) == [("mrr", "firing")]
    assert query("select request_id::text from ops.lost_requests") == [str(runs[0])]


def test_a_report_whose_run_is_killed(work: Workspace, tmp_path: Path):
    config = {"name": "Question", "query": PASS, "format": "csv"}
    with stopped_runs.closed_gate():
        run = request(work, REPORT, report_config=config)
        stopped_runs.wait_at_gate(1)
        kill(work, run)
    again = next_run(work)
    assert work.wait(again).name == "Completed"
    assert query("select status, period from ops.report_runs") == [("ready", str(run))]
    assert len(list((tmp_path / "reports").glob("[!.]*"))) == 1
