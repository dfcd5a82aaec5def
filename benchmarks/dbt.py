"""`run_dbt_models` beside ``dbt run`` on the command line, on the sample warehouse.

Both run the same selection on the same warm project, in turn. The worker's is a run of the deployment, from its
creation to its end; its CPU is that of server, worker and all processes
of the run.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.settings import settings
from benchmarks._live_stack import LiveStack, live_stack
from benchmarks._table import Row

ROUNDS, MODELS = 5, 13
SELECTION = ["staging", "kpis"]


def measure() -> list[Row]:
    """Wall seconds and CPU seconds, medians."""
    with live_stack("dbt", opportunities=5000) as stack, TemporaryDirectory() as target:
        warm = _with_flow(stack), _with_cli(target)
        assert all(warm)
        rounds = [(_with_flow(stack), _with_cli(target)) for _ in range(ROUNDS)]
    against = "dbt run on the command line"
    return [
        Row("run_dbt_models, 13 models, created to ended", *_beside(rounds, 0, against), "≤ 0.5x"),
        Row("run_dbt_models, 13 models: CPU, whole stack", *_beside(rounds, 1, against)),
    ]


def _beside(
    rounds: list[tuple[tuple[float, float], tuple[float, float]]], column: int, against: str
) -> tuple[float, str, str, float]:
    ours, other = (statistics.median(sides[n][column] for sides in rounds) for n in (0, 1))
    return ours, "s", against, other


def _with_flow(stack: LiveStack) -> tuple[float, float]:
    used = stack.cpu_seconds()
    seconds, result = stack.run("run-dbt-models/dbt", dbt_args=["--models", *SELECTION])
    assert result["summary"]["passed"] == MODELS, result["message"]
    return seconds, stack.cpu_seconds() - used


def _children_cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _with_cli(target: str) -> tuple[float, float]:
    project = str(settings().dbt_project_path)
    command = [str(Path(sys.executable).parent / "dbt"), "run", "--select", *SELECTION]
    folders = ["--project-dir", project, "--profiles-dir", project]
    folders += ["--target-path", target, "--log-path", target]
    started, used = time.perf_counter(), _children_cpu_seconds()
    subprocess.run([*command, *folders], env=dbt_environment(), check=True, capture_output=True)
    seconds = time.perf_counter() - started, _children_cpu_seconds() - used
    results = json.loads((Path(target) / "run_results.json").read_text())["results"]
    assert len(results) == MODELS
    return seconds
