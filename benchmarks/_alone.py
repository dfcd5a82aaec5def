"""One benchmark in a process of its own: none inherits what another one has set or loaded."""

import importlib
import multiprocessing
import traceback
from concurrent.futures import ProcessPoolExecutor

from benchmarks import _report
from benchmarks.table import Row


class BrokenBenchmarkError(Exception):
    """Why it measured nothing; what it raised may not survive the way between processes."""


def alone(name: str) -> list[Row]:
    """What the benchmark measures, kept for the report, too.

    Raises:
        BrokenBenchmarkError: it ended with an error.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        return process.submit(_measure, name).result()


def _measure(name: str) -> list[Row]:
    try:
        measured: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
    except Exception as error:  # noqa: BLE001  # the other benchmarks still say something
        traceback.print_exc()
        raise BrokenBenchmarkError(f"{type(error).__name__}: {error}") from None
    _report.keep(name, measured)
    return measured
