"""What happens to runs when the Prefect server is unavailable."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from prefect.states import Cancelling

from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker
from tests.support.wait_until import wait_until


@pytest.fixture
def server(prefect_server: Server, tmp_path: Path) -> Iterator[Server]:
    """A server that the test may stop."""
    prefect_server.copy_database(tmp_path / "server")
    with Server(tmp_path / "server") as server:
        yield server


@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.soak)])
def test_runs_keep_their_true_ends_over_an_outage(server: Server, tmp_path: Path, seconds: int):
    work = Workspace(tmp_path / "flows", server.api_url, "pool")
    environment = worker_environment(server, tmp_path)
    with our_worker("pool", environment, tmp_path / "worker.log") as worker:
        ends, fails = work.submit("sleeping", seconds=8), work.submit("failing_later", seconds=8)
        cancelled = work.submit("sleeping", seconds=600)
        for run in (ends, fails, cancelled):
            work.wait(run, "Running", timeout=150)
        server.end(signal.SIGKILL)
        time.sleep(seconds)
        server.start()
        later = work.submit("ok")
        wait_until(lambda: work.state(later).name != "Scheduled", timeout=10)
        work.client.set_flow_run_state(cancelled, Cancelling())
        assert work.wait(ends, timeout=200).name == "Completed"
        assert "ValueError: too late" in str(work.wait(fails, timeout=200).message)
        assert work.wait(cancelled).name == "Cancelled"
        assert work.wait(later).name == "Completed"
        assert worker.ended() is None
    work.close()
