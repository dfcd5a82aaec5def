"""Measure how late scheduled runs start: at 10, 30, 60 and 120 runs a minute, spread evenly over a minute."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from tempfile import TemporaryDirectory
from uuid import UUID

from prefect.client.schemas.objects import FlowRun

from benchmarks._table import Row
from tests.support.case_runs import Workspace
from tests.support.prefect_server import worker_environment
from tests.support.processes import Server, our_worker

GOALS = {10: "≤ 0.5 s", 30: "≤ 1 s", 60: "≤ 1 s", 120: "≤ 2 s"}
"""Seconds by runs a minute."""
FIRST_AFTER = timedelta(seconds=15)
MINUTE = timedelta(minutes=1)


def measure() -> list[Row]:
    """Queue the runs of a minute, let them end, and compare the times at which they were due and started."""
    with TemporaryDirectory() as directory:
        folder = Path(directory)
        with Server(folder / "prefect") as server:
            work = Workspace(folder / "flows", server.api_url, "lag")
            worker = our_worker("lag", worker_environment(server, folder), folder / "worker.log")
            with worker:
                deployment = work.deploy("ok")
                work.wait(work.schedule(deployment, 0))
                return [row for rate in GOALS for row in _rows(work, deployment, rate)]


def _rows(work: Workspace, deployment: UUID, rate: int) -> list[Row]:
    first = datetime.now(UTC) + FIRST_AFTER
    due = [first + MINUTE / rate * number for number in range(rate)]
    runs = [work.schedule(deployment, _seconds_until(each)) for each in due]
    time.sleep(max(0.0, _seconds_until(due[-1])))
    assert all(state.is_completed() for state in work.wait_all(runs))
    lags = [_lag(work.read(run)) for run in runs]
    what = f"start lag of {rate} scheduled runs a minute"
    shares = quantiles(lags, n=20)
    return [
        Row(f"{what}, 95 %", shares[-1], "s", goal=GOALS[rate]),
        Row(f"{what}, median", shares[9], "s"),
    ]


def _seconds_until(instant: datetime) -> float:
    return (instant - datetime.now(UTC)).total_seconds()


def _lag(run: FlowRun) -> float:
    assert run.start_time is not None
    assert run.expected_start_time is not None
    return run.start_time.timestamp() - run.expected_start_time.timestamp()
