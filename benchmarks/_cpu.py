"""CPU time of whole process trees."""

from contextlib import suppress

import psutil


def cpu_seconds(trees: list[psutil.Process]) -> float:
    """Of this process, and of those trees with what has ended in them.

    The root is asked last: it counts a child that ends meanwhile.
    """
    own = psutil.Process().cpu_times()
    total = own.user + own.system
    for tree in trees:
        for process in [*tree.children(recursive=True), tree]:
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
    return total
