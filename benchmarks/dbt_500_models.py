"""`run_dbt_models` beside ``dbt run`` on a generated project of 500 models.

Both build the same project in the same database, in turn: cold without and warm with their parse
cache. The worker's is a run of the deployment, from its creation to its end.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from analytics_worker.database.dbt_environment import dbt_environment
from analytics_worker.settings import settings
from benchmarks._generated_dbt_project import write_project
from benchmarks._live_stack import LiveStack, live_stack
from benchmarks._table import Row
from flows.dbt._workspace import dbt_state

ROUNDS, MODELS = 3, 500
AGAINST = "dbt run on the command line"


def measure() -> list[Row]:
    """Wall seconds, medians."""
    with generated_project() as project, live_stack("dbt", opportunities=200) as stack:
        _with_flow(stack)
        rounds = [
            (_beside(stack, project, cold=True), _beside(stack, project)) for _ in range(ROUNDS)
        ]
    cold, warm = zip(*rounds, strict=True)
    return [
        Row("run_dbt_models, 500 models, cold", *_medians(cold), "≤ 1.0x"),
        Row("run_dbt_models, 500 models, warm", *_medians(warm), "≤ 0.5x"),
    ]


@contextmanager
def generated_project() -> Generator[Path]:
    """Point the settings at a generated project."""
    with TemporaryDirectory() as folder:
        project = write_project(Path(folder) / "project", MODELS)
        os.environ["DBT_PROJECT_PATH"] = str(project)
        settings.cache_clear()
        yield project
        del os.environ["DBT_PROJECT_PATH"]


def _medians(rounds: tuple[tuple[float, float], ...]) -> tuple[float, str, str, float]:
    ours, other = (statistics.median(side) for side in zip(*rounds, strict=True))
    return ours, "s", AGAINST, other


def _beside(stack: LiveStack, project: Path, *, cold: bool = False) -> tuple[float, float]:
    if cold:
        shutil.rmtree(dbt_state() / "warm")
        shutil.rmtree(project / "target", ignore_errors=True)
    return _with_flow(stack), _with_cli(project)


def _with_flow(stack: LiveStack) -> float:
    seconds, result = stack.run("run-dbt-models/dbt", dbt_args=[])
    assert result["summary"]["passed"] == MODELS, result["message"]
    return seconds


def _with_cli(project: Path) -> float:
    command = [str(Path(sys.executable).parent / "dbt"), "run", "--project-dir", str(project)]
    started = time.perf_counter()
    subprocess.run(command, env=dbt_environment(), cwd=project, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    results = json.loads((project / "target" / "run_results.json").read_text())["results"]
    assert len(results) == MODELS
    return seconds
