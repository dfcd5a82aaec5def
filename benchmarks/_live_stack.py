"""Run the product as users do, for one measurement: server, worker, all deployments, a warehouse."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
from prefect import get_client
from prefect.settings import PREFECT_API_URL, temporary_settings
from sqlalchemy.engine import make_url

from analytics_worker.database.connections import direct_connection
from analytics_worker.prefect_support.runs import Run, submit
from analytics_worker.stack.sample import load_sample
from benchmarks._warehouse import fresh_warehouse
from tests.support.processes import Process, Server, our_worker

ACQUIRE_TIMEOUT_SECONDS = 600.0


@dataclass
class LiveStack:
    """A running stack."""

    server: Server
    worker: Process

    def long_lived(self) -> list[psutil.Process]:
        """Return server, worker and fork servers, which count the CPU time of ended runs."""
        worker = psutil.Process(self.worker.pid)
        return [psutil.Process(self.server.pid), worker, *worker.children()]

    def cpu_seconds(self) -> float:
        """Return the CPU time of the whole stack so far, in seconds."""
        times = [process.cpu_times() for process in self.long_lived()]
        return sum(t.user + t.system + t.children_user + t.children_system for t in times)

    def run(self, deployment: str, **parameters: Any) -> tuple[float, dict[str, Any]]:
        """Return the seconds from the creation of a run to its end, and its result."""
        run = submit(deployment, **parameters)
        result = run.get(ACQUIRE_TIMEOUT_SECONDS)
        return seconds_of(run), result


def seconds_of(run: Run) -> float:
    """Return the seconds from the creation of an ended run to its end."""
    with get_client(sync_client=True) as client:
        done = client.read_flow_run(run.id)
    assert done.created is not None
    assert done.end_time is not None
    return (done.end_time - done.created).total_seconds()


@contextmanager
def live_stack(pool: str, opportunities: int) -> Generator[LiveStack]:
    """Run a stack whose worker serves one pool, with a sample warehouse of that many opportunities."""
    with fresh_warehouse() as url, TemporaryDirectory() as directory:
        with direct_connection(make_url(url)) as connection:
            load_sample(connection, opportunities=opportunities)
        folder = Path(directory)
        with (
            Server(folder / "server") as server,
            temporary_settings({PREFECT_API_URL: server.api_url}),
        ):
            environment = {"PREFECT_API_URL": server.api_url, "PREFECT_HOME": str(folder / "home")}
            program = "from analytics_worker.cli import main; main()"
            subprocess.run(
                [sys.executable, "-c", program, "deploy"],
                env=os.environ | environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            with our_worker(pool, environment, folder / "worker.log") as worker:
                yield LiveStack(server, worker)
                worker.end()
