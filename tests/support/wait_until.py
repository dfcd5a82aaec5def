"""Wait until a condition is true, without guessing how long it takes."""

import time
from collections.abc import Callable


def wait_until(
    predicate: Callable[[], object], timeout: float = 10.0, interval: float = 0.02
) -> None:
    """Return once the predicate holds; fail after ``timeout`` seconds, naming what was awaited."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() > deadline:
            what = getattr(predicate, "__qualname__", repr(predicate))
            raise AssertionError(f"{what} did not come true within {timeout} s")
        time.sleep(interval)
