"""`run_dbt_models` beside ``dbt run`` on the command line, on the sample warehouse.

Both run the same selection on the same warm project, in turn; the flow is called in a process that
has it imported, as a worker that preloads does.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from prefect.testing.utilities import prefect_test_harness
from sqlalchemy.engine import make_url

from benchmarks.table import Row
from benchmarks.warehouse import fresh_warehouse
from flows.dbt import run_dbt_models
from flows.dbt._environment import dbt_environment
from stack.sample import load_sample
from toolkit.database import direct
from toolkit.settings import settings

ROUNDS, MODELS = 5, 13


def measure() -> list[Row]:
    """Wall seconds and CPU seconds, medians."""
    with fresh_warehouse() as url, prefect_test_harness(server_startup_timeout=120):
        with direct(make_url(url)) as connection:
            load_sample(connection, opportunities=5000)
        with TemporaryDirectory() as target:
            warm = _with_flow(), _with_cli(target)
            assert all(warm)
            ours, theirs = zip(
                *((_with_flow(), _with_cli(target)) for _ in range(ROUNDS)), strict=True
            )
    wall, cpu = (_median(ours, column) for column in (0, 1))
    other_wall, other_cpu = (_median(theirs, column) for column in (0, 1))
    against = "dbt run on the command line"
    return [
        Row("run_dbt_models, 13 models: wall", wall, "s", against, other_wall, "≤ 0.6x"),
        Row("run_dbt_models, 13 models: CPU", cpu, "s", against, other_cpu),
    ]


def _median(rounds: tuple[tuple[float, float], ...], column: int) -> float:
    return statistics.median(one[column] for one in rounds)


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _with_flow() -> tuple[float, float]:
    started, used = time.perf_counter(), _cpu_seconds()
    result = run_dbt_models(["--models", "staging", "kpis"])
    assert result["summary"]["passed"] == MODELS, result["message"]
    return time.perf_counter() - started, _cpu_seconds() - used


def _with_cli(target: str) -> tuple[float, float]:
    project = settings().dbt_project_path
    folders = [
        "--project-dir",
        str(project),
        "--profiles-dir",
        str(project),
        "--target-path",
        target,
    ]
    command = [
        str(Path(sys.executable).parent / "dbt"),
        "run",
        "--select",
        "staging",
        "kpis",
        *folders,
    ]
    started, used = time.perf_counter(), _cpu_seconds()
    subprocess.run(
        [*command, "--log-path", target], env=dbt_environment(), check=True, capture_output=True
    )
    seconds = time.perf_counter() - started, _cpu_seconds() - used
    results = json.loads((Path(target) / "run_results.json").read_text())["results"]
    assert len(results) == MODELS
    return seconds
