"""The server declares the runs of a suspended host crashed; when the host continues, they write nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from analytics_worker.deployment.automations import sync_automations
from analytics_worker.prefect_support.heartbeat_timeout import (
    CRASH_MESSAGE,
    HEARTBEAT_SECONDS,
    HEARTBEAT_TIMEOUT,
    HEARTBEAT_VARIABLE,
)
from tests.flows.alerts.rules import rule, store
from tests.support import stopped_runs
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker
from tests.support.sql import query

ALERTS = "flows.alerts.pending.process_pending_alerts"


@pytest.fixture
def server(prefect_server: Server, tmp_path: Path) -> Iterator[Server]:
    """A server with automations of this test."""
    prefect_server.copy_database(tmp_path / "server")
    with Server(tmp_path / "server") as server:
        yield server


@pytest.mark.timeout(400)
def test_a_host_that_was_suspended_for_too_long(server: Server, tmp_path: Path, environment: str):
    work = Workspace(tmp_path / "flows", server.api_url, "fence")
    beats = {HEARTBEAT_VARIABLE: str(HEARTBEAT_SECONDS)}
    alerts = stopped_runs.deploy(work, ALERTS, env=beats)
    list(sync_automations({"alerts": alerts}, work.client))
    variables = worker_environment(server, tmp_path, DATABASE_URL=environment)
    with our_worker(work.pool, variables, tmp_path / "worker.log") as worker:
        with stopped_runs.closed_gate():
            store(rule(sql="select raw.pass_gate() as value"))
            run = work.client.create_flow_run_from_deployment(alerts).id
            stopped_runs.wait_at_gate(1)
            pids = [worker.pid, work.pid(run)]
            stopped_runs.stop(pids)
            state = work.wait(run, timeout=HEARTBEAT_TIMEOUT.total_seconds() + 60)
            assert (state.name, state.message) == ("Crashed", CRASH_MESSAGE)
        stopped_runs.resume(pids, ending=pids[1:])
        assert work.state(run).name == "Crashed"
        assert query("select evaluated_slot from ops.alert_rules") == [None]
        assert query("select count(*) from ops.messages") == [0]
        successor = work.client.create_flow_run_from_deployment(alerts).id
        assert work.wait(successor).name != "Crashed"
        assert query("select count(*) from ops.messages where kind = 'firing'") == [1]
    work.close()
