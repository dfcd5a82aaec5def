"""Measure the whole stack at rest, with its schedules: fifteen minutes, every process of `make up`.

The schedules are the real ones: each minute one to five short runs are a part of what it costs. CPU time of ended runs
counts: it is that of the process which waited for them.
"""

import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks._table import Row
from tests.support.stack import RunningStack

SETTLE_SECONDS, MEASURED_SECONDS = 360.0, 900.0
"""The fork server of dbt ends five minutes after its last run."""


def measure() -> list[Row]:
    """Start, run the pipeline, let it settle, and measure."""
    with TemporaryDirectory() as directory:
        stack = RunningStack(Path(directory) / "state")
        try:
            stack.start("--sample-opportunities", "2000")
            time.sleep(SETTLE_SECONDS)
            before = _cpu_seconds(stack)
            time.sleep(MEASURED_SECONDS)
            used, memory = _cpu_seconds(stack), _memory(stack)
        finally:
            stack.stop()
    cpu = {name: 100 * (used[name] - before.get(name, 0.0)) / MEASURED_SECONDS for name in used}
    return [
        *_rows("stack with its schedules, 15 minutes, processor", cpu, "%", "≤ 6 %"),
        *_rows("stack with its schedules, memory (PSS)", memory, "MB", "≤ 400 MB"),
    ]


def _rows(what: str, by_name: Mapping[str, float], unit: str, goal: str) -> list[Row]:
    parts = [Row(f"{what} of {name}", value, unit) for name, value in sorted(by_name.items())]
    return [Row(what, sum(by_name.values()), unit, goal=goal), *parts]


def _trees(stack: RunningStack) -> dict[str, list[psutil.Process]]:
    """Every process, by the component that it belongs to; the rest is the supervisor's."""
    assert stack.process
    root = psutil.Process(stack.process.pid)
    everything = {root.pid: root} | {child.pid: child for child in root.children(recursive=True)}
    trees: dict[str, list[psutil.Process]] = {}
    for name in ("postgres", "server", "worker", "exporter"):
        top = psutil.Process(stack.pid(name) or 0)
        tree = [top, *top.children(recursive=True)]
        trees[name] = [process for process in tree if everything.pop(process.pid, None)]
    return {**trees, "supervisor": list(everything.values())}


def _cpu_seconds(stack: RunningStack) -> dict[str, float]:
    def of(process: psutil.Process) -> float:
        return sum(process.cpu_times()[:4])

    return {name: sum(map(of, tree)) for name, tree in _trees(stack).items()}


def _memory(stack: RunningStack) -> dict[str, float]:
    trees = _trees(stack).items()
    return {name: sum(p.memory_full_info().pss for p in tree) / 1e6 for name, tree in trees}
