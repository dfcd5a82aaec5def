"""One benchmark in a process of its own: none inherits what another one has set or loaded."""

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from benchmarks import _report
from benchmarks.table import Row


def alone(name: str) -> list[Row]:
    """What the benchmark measures, kept for the report, too."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, name).result()


def _measure(name: str) -> list[Row]:
    measured: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
    _report.keep(name, measured)
    return measured
