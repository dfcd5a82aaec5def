"""Measure the memory of one piece of work."""

import multiprocessing
import time
from collections.abc import Callable

import psutil


def peak_megabytes(work: Callable[[], object]) -> float:
    """Return the peak memory in MB of a forked process."""
    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    handle, peak = psutil.Process(process.pid), 0
    while process.is_alive():
        try:
            peak = max(peak, handle.memory_info().rss)
        except psutil.NoSuchProcess:
            break
        time.sleep(0.02)
    process.join()
    assert process.exitcode == 0, "the work failed"
    return peak / 1e6
