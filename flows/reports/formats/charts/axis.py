"""Axes of charts: round numbers that cover the values, and numbers as text.

Reads nothing, writes nothing.
"""

import math
import sys
from collections.abc import Iterable
from decimal import Decimal

CURRENCIES = frozenset({"$", "\u20ac", "\u00a3", "\u00a5"})
MINUS = "\u2212"
_STEPS = (1, 2, 2.5, 5, 10)
_MAGNITUDES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_TICKS = 4
_MIN_STEP = 1e-300  # below, powers of ten lose their digits
_MIN_SHARE = (
    1e-14  # of the largest value that one step is: a smaller one would not change its digits
)
_MAX_PLAIN_NUMBER = 1e15


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


def compact_number(value: float, unit: str = "") -> str:
    """Return ``1.2M``, ``950``, ``0.25``: for axes and the ends of bars."""
    size = abs(value)
    for limit, suffix in _MAGNITUDES:
        if size >= limit * 0.9995:
            return with_unit(f"{value / limit:.4g}{suffix}", unit)
    return with_unit(f"{value:.4g}", unit)


def number_text(value: float | Decimal, decimals: int = 0, unit: str = "") -> str:
    """Return ``1,234.50``; very large numbers in powers of ten."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:,.{decimals}f}" if abs(value) < _MAX_PLAIN_NUMBER else f"{value:.4g}"
    return with_unit(text, unit)


def with_unit(text: str, unit: str) -> str:
    """Add a unit: currencies in front, the percent sign at the end, other units after a space."""
    sign = MINUS if text.startswith("-") else ""
    digits = text.lstrip("-")
    if not unit:
        return sign + digits
    if unit in CURRENCIES:
        return f"{sign}{unit}{digits}"
    return f"{sign}{digits}{unit}" if unit == "%" else f"{sign}{digits}\u00a0{unit}"
