"""Run each benchmark in a process of its own, which inherits nothing from another one."""

import importlib
import multiprocessing
import traceback
from concurrent.futures import ProcessPoolExecutor

from benchmarks import _performance_page
from benchmarks._table import Row


class BrokenBenchmarkError(Exception):
    """A benchmark failed; the original error may not be picklable."""


def run_isolated(name: str) -> list[Row]:
    """Run a benchmark, store its rows for the performance page, and return them.

    Raises:
        BrokenBenchmarkError: it ended with an error.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, name).result()


def _measure(name: str) -> list[Row]:
    try:
        measured: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
    except Exception as error:  # noqa: BLE001  # the other benchmarks continue
        traceback.print_exc()
        raise BrokenBenchmarkError(f"{type(error).__name__}: {error}") from None
    _performance_page.keep(name, measured)
    return measured
