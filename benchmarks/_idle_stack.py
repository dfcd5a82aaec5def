"""Measure processor and memory of the idle stack, beside the Celery stack that it replaces."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from benchmarks._celery_idle import idle_celery
from benchmarks._table import Row
from tests.support.stack import SMALL, RunningStack

SETTLE_SECONDS, MEASURED_SECONDS = 15.0, 20.0
COUNTED = ("server", "worker", "exporter")


def idle_stack() -> list[Row]:
    """Server, worker and exporter, with all their children; PostgreSQL is not counted."""
    with TemporaryDirectory() as directory:
        stack = RunningStack(Path(directory) / "state")
        try:
            stack.start(*SMALL)
            time.sleep(SETTLE_SECONDS)
            trees = {name: _tree(stack.pid(name) or 0) for name in COUNTED}
            before = {name: _cpu(tree) for name, tree in trees.items()}
            time.sleep(MEASURED_SECONDS)
            cpu = {
                name: (_cpu(tree) - before[name]) * 100 / MEASURED_SECONDS
                for name, tree in trees.items()
            }
            pss = {
                name: sum(p.memory_full_info().pss for p in tree) / 1e6
                for name, tree in trees.items()
            }
        finally:
            stack.stop()
    celery, theirs = "Celery, a worker per queue, beat, Flower, Redis", idle_celery()
    return [
        *(
            Row(f"stack at rest, memory (PSS) of {name}", value, "MB")
            for name, value in pss.items()
        ),
        Row(
            "stack at rest, memory (PSS)", sum(pss.values()), "MB", celery, theirs.pss_mb, "≤ 0.7x"
        ),
        *(Row(f"stack at rest, processor of {name}", value, "%") for name, value in cpu.items()),
        Row("stack at rest, processor", sum(cpu.values()), "%", celery, theirs.cpu_percent),
    ]


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


def _cpu(tree: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in tree)
