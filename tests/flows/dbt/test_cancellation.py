"""The flow's process gets the signals of a cancellation, or is killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from prefect import get_client
from prefect.settings import get_current_settings

from analytics_worker.settings import project_root
from flows.dbt import run_dbt_models
from tests.flows.dbt.seen import dbt_processes, dbt_queries
from tests.support.wait_until import wait_until


@pytest.fixture
def flow_process() -> Iterator[subprocess.Popen[bytes]]:
    """A flow run in a process of its own, started as the workers start them."""
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(run_dbt_models)
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect.engine", str(run.id)],
        cwd=project_root(),
        env={
            **os.environ,
            "PREFECT_API_URL": str(get_current_settings().api.url),
            "PREFECT__FLOW_ENTRYPOINT": "flows.dbt.models.run_dbt_models",
        },
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield process
    process.kill()
    process.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_ten_seconds_after_the_flow_is_stopped_dbt_is_gone(model, request, number):
    model("slow.sql", "select 1 as id from pg_sleep(60)")
    flow: subprocess.Popen[bytes] = request.getfixturevalue("flow_process")
    wait_until(lambda: any("pg_sleep" in query for query in dbt_queries()), timeout=120)
    children = [process.pid for process in dbt_processes(below=flow.pid)]
    assert children

    os.killpg(flow.pid, number)

    wait_until(lambda: not any(map(psutil.pid_exists, children)), timeout=10)
    wait_until(lambda: not dbt_queries(), timeout=10)
