"""A process that continues after its run was declared crashed writes nothing."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from prefect.states import Completed
from sqlalchemy import text

from analytics_worker.database.connections import direct_connection, warehouse_url
from tests.flows.alerts.rules import rule, store
from tests.support import stopped_runs
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker
from tests.support.sql import execute, query
from tests.support.wait_until import wait_until

REFRESH = "flows.analytics.materialized_views.refresh_materialized_views"
ALERTS = "flows.alerts.pending.process_pending_alerts"
REPORT = "flows.reports.ad_hoc.generate_ad_hoc_report"
DBT = "flows.dbt.models.run_dbt_models"
DBT_WAITS = (
    "select pid from pg_locks join pg_stat_activity using (pid)"
    " where not granted and application_name like 'dbt%' and datname = current_database()"
)
DBT_IDLE = (
    "select pid from pg_stat_activity"
    " where application_name like 'dbt%' and datname = current_database() and state = 'idle in transaction'"
)
ACCOUNTS = (
    "create table raw.accounts (account_id int, owner_id int, name text, industry text, country text,"
    " employees int, contact_email text, created_at timestamptz, updated_at timestamptz)"
)
PASS = "select raw.pass_gate() as value"


@pytest.fixture
def work(prefect_server: Server, tmp_path: Path, environment: str) -> Iterator[Workspace]:
    """A pool whose worker's runs have short leases."""
    work = Workspace(tmp_path / "flows", prefect_server.api_url, f"fence-{uuid4().hex[:8]}")
    variables = worker_environment(
        prefect_server,
        tmp_path,
        DATABASE_URL=environment,
        WORKER_RUN_LEASE_SECONDS=str(stopped_runs.LEASE_SECONDS),
        REPORT_OUTPUT_DIR=str(tmp_path / "reports"),
    )
    with our_worker(work.pool, variables, tmp_path / "worker.log"):
        yield work
    work.close()


def test_alerts_reports_and_refreshes_that_come_back_write_nothing(work: Workspace, tmp_path: Path):
    with stopped_runs.closed_gate():
        execute(f"create materialized view analytics.gated as {PASS} with no data")
        store(rule(sql=PASS))
        report = {"name": "gated", "query": PASS, "format": "csv", "recipients": ["a@b.example"]}
        runs = [
            stopped_runs.submit(work, REFRESH, view_names=["analytics.gated"]),
            stopped_runs.submit(work, ALERTS),
            stopped_runs.submit(work, REPORT, report_config=report),
        ]
        stopped_runs.wait_at_gate(3)
        pids = [work.pid(run) for run in runs]
        stopped_runs.stop(pids)
        stopped_runs.declare_crashed(work, runs)
    stopped_runs.resume(pids)
    assert [work.state(run).name for run in runs] == ["Crashed"] * 3
    assert query("select status from ops.refresh_log") == ["running"]  # the next run settles it
    assert query("select relispopulated from pg_class where relname = 'gated'") == [False]
    assert query("select evaluated_slot from ops.alert_rules") == [None]
    assert query("select count(*) from ops.messages") == [0]
    assert query("select status from ops.report_runs") == ["running"]
    assert [file for file in (tmp_path / "reports").rglob("*.csv") if file.name[0] != "."] == []
    wait_until(lambda: any("nothing more is written" in line for line in work.messages(runs[0])))
    assert not any(".; nothing" in line for line in work.messages(runs[0]))
    # A successor does what they did not do.
    assert work.wait(stopped_runs.submit(work, ALERTS)).is_final()
    assert query("select count(*) from ops.messages where kind = 'firing'") == [1]


def test_the_server_refuses_what_a_run_reports_that_was_declared_crashed(work: Workspace):
    run = work.submit("sleeping", seconds=600)
    work.wait(run, "Running")
    stopped_runs.declare_crashed(work, [run])
    refused = work.client.set_flow_run_state(run, Completed())
    assert (refused.status.name, work.state(run).name) == ("ABORT", "Crashed")
    os.kill(work.pid(run), signal.SIGKILL)  # a flow of the tests, which has no lease


def test_dbt_of_a_run_that_comes_back_is_stopped(work: Workspace):
    execute(ACCOUNTS)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("lock table raw.accounts in access exclusive mode"))
        run = stopped_runs.submit(work, DBT, dbt_args=["--select", "stg_crm__accounts"])
        wait_until(lambda: query(DBT_WAITS), timeout=60, interval=0.1)
        pid = work.pid(run)
        children = psutil.Process(pid).children(recursive=True)
        stopped_runs.stop([pid])
        stopped_runs.declare_crashed(work, [run])
        stopped_runs.resume([pid])
        assert children
        wait_until(lambda: not any(child.is_running() for child in children), timeout=30)
        wait_until(lambda: not query(DBT_WAITS), timeout=30)
    assert work.state(run).name == "Crashed"
    assert query("select count(*) from ops.dbt_runs") == [0]


def test_dbt_that_continues_before_its_run_commits_nothing(work: Workspace):
    """Both were stopped, as on a suspended host; the run's process needs longer to find out that the run is lost."""
    execute(ACCOUNTS)
    with direct_connection(warehouse_url()) as connection:
        connection.execute(text("lock table raw.accounts in access exclusive mode"))
        run = stopped_runs.submit(work, DBT, dbt_args=["--select", "stg_crm__accounts"])
        wait_until(lambda: query(DBT_WAITS), timeout=60, interval=0.1)
        pid = work.pid(run)
        children = [child.pid for child in psutil.Process(pid).children(recursive=True)]
        dbt = [child for child in children if os.getpgid(child) == child]
        stopped_runs.stop([pid, *dbt])
        stopped_runs.declare_crashed(work, [run])
    wait_until(lambda: query(DBT_IDLE), timeout=60, interval=0.1)  # the statement is done
    stopped_runs.resume(dbt, ending=[])
    wait_until(lambda: all(map(rests, dbt)), timeout=60)
    stopped_runs.resume([pid], ending=[pid, *dbt])
    assert query("select to_regclass('staging.stg_crm__accounts')") == [None]
    assert work.state(run).name == "Crashed"


def rests(pid: int) -> bool:
    """Whether a process computes nothing: it has done what it could, and waits."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        before = process.cpu_times().user
        time.sleep(1)  # the time that is measured
        return (
            process.status() in {"sleeping", "zombie"} and process.cpu_times().user - before < 0.1
        )
    return True
