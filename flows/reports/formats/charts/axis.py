"""Axes of charts: round numbers that cover the values.

Reads nothing, writes nothing.
"""

import math
import sys
from collections.abc import Iterable

_STEPS = (1, 2, 2.5, 5, 10)
_TICKS = 4
_MIN_STEP = 1e-300  # below, powers of ten lose their digits
_MIN_SHARE = (
    1e-14  # of the largest value that one step is: a smaller one would not change its digits
)


def ticks(values: Iterable[float], *, from_zero: bool) -> list[float]:
    """Return evenly spaced round numbers from below the smallest value to above the largest.

    Accepts all finite numbers; a tick beyond their range is the largest of them.
    """
    numbers = list(values)
    low, high = min(numbers, default=0.0), max(numbers, default=0.0)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    min_step = max(_MIN_STEP, max(-low, high) * _MIN_SHARE)
    step = _round_step(max(high / _TICKS - low / _TICKS, min_step))
    first, last = math.floor(low / step), math.ceil(high / step)
    return [finite(number * step) for number in range(first, last + 1)]


def finite(value: float) -> float:
    """Return the number, or the largest finite number of its sign."""
    return max(-sys.float_info.max, min(value, sys.float_info.max))


def _round_step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(step * magnitude for step in _STEPS if step * magnitude >= rough * 0.999)
