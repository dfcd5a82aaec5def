"""Draw a series of numbers in one line of text, for receivers that show no pictures.

Reads nothing, writes nothing.
"""

import math
from collections.abc import Sequence

LEVELS = "▁▂▃▄▅▆▇█"
GAP = "·"

Values = Sequence[float | None]


def value_range(values: Values) -> tuple[float, float]:
    """Return what the chart covers: all finite numbers, and zero unless they are much closer together."""
    known = [each for each in values if each is not None and math.isfinite(each)]
    low, high = min(known, default=0.0), max(known, default=0.0)
    length = high / 2 - low / 2
    if length > max(abs(low), abs(high)) / 8:
        return min(low, 0.0), max(high, 0.0)
    return low - length / 2, high


def share(value: float, low: float, high: float) -> float:
    """Return where a value is in a range, from 0 to 1; in the middle of a range of one value.

    Halves are subtracted, as a difference can be infinite.
    """
    length = high / 2 - low / 2
    if length <= 0:
        return 0.5 if math.isfinite(value) else float(value > 0)
    return min(max((value / 2 - low / 2) / length, 0.0), 1.0)


def sparkline(values: Values) -> str:
    """Return a character for each value, such as ``▁▂▅█``; a dot where there is none."""
    low, high = value_range(values)
    last = len(LEVELS) - 1
    return "".join(
        GAP if each is None else LEVELS[round(share(each, low, high) * last)] for each in values
    )
