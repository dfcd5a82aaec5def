"""Axes: round numbers that cover the values, and numbers as people read them.

Reads nothing, writes nothing.
"""

import math
import sys
from collections.abc import Iterable
from decimal import Decimal

CURRENCIES = frozenset({"$", "\u20ac", "\u00a3", "\u00a5"})
MINUS = "\u2212"
_STEPS = (1, 2, 2.5, 5, 10)
_THOUSANDS = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
_TICKS = 4
_LEAST_STEP = 1e-300  # below, powers of ten lose their digits
_LEAST_SHARE = 1e-14  # of the greatest value that one step is: less would not change its digits
_GREATEST = 1e15


def ticks(values: Iterable[float], *, from_zero: bool) -> list[float]:
    """A few evenly spaced round numbers from below the least value to above the greatest.

    Takes all finite numbers; a mark that would be greater than those is the greatest of them.
    """
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=0.0)
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    least = max(_LEAST_STEP, max(-low, high) * _LEAST_SHARE)
    step = _round_step(max(high / _TICKS - low / _TICKS, least))
    first, last = math.floor(low / step), math.ceil(high / step)
    return [finite(number * step) for number in range(first, last + 1)]


def finite(value: float) -> float:
    """The number, or instead of an infinity the greatest number of its sign."""
    return max(-sys.float_info.max, min(value, sys.float_info.max))


def _round_step(rough: float) -> float:
    magnitude = 10.0 ** math.floor(math.log10(rough))
    return next(step * magnitude for step in _STEPS if step * magnitude >= rough * 0.999)


def compact(value: float, unit: str = "") -> str:
    """``1.2M``, ``950``, ``0.25``: for axes and the ends of bars."""
    size = abs(value)
    for limit, letter in _THOUSANDS:
        if size >= limit * 0.9995:
            return with_unit(f"{value / limit:.4g}{letter}", unit)
    return with_unit(f"{value:.4g}", unit)


def number_text(value: float | Decimal, decimals: int = 0, unit: str = "") -> str:
    """``1,234.50``; very great and very small numbers in powers of ten."""
    if not math.isfinite(value):
        return str(value)
    text = f"{value:,.{decimals}f}" if abs(value) < _GREATEST else f"{value:.4g}"
    return with_unit(text, unit)


def with_unit(text: str, unit: str) -> str:
    """Currencies stand in front, the percent sign close behind, other units after a space."""
    sign = MINUS if text.startswith("-") else ""
    digits = text.lstrip("-")
    if not unit:
        return sign + digits
    if unit in CURRENCIES:
        return f"{sign}{unit}{digits}"
    return f"{sign}{digits}{unit}" if unit == "%" else f"{sign}{digits}\u00a0{unit}"
