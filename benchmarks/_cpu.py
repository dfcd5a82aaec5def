"""Measure the CPU time of process trees."""

from contextlib import suppress

import psutil


def cpu_seconds(trees: list[psutil.Process]) -> float:
    """Return the CPU seconds of this process and of trees, with their ended processes.

    The root is read last, because it counts a child that ends meanwhile.
    """
    own = psutil.Process().cpu_times()
    total = own.user + own.system
    for tree in trees:
        for process in [*tree.children(recursive=True), tree]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
