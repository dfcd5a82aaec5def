"""Axes of charts: round numbers that cover the values, and numbers as text.

Reads nothing, writes nothing.
"""

import math
import sys
from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_UP, Context, Decimal

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
_FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
ALL_DIGITS = Context(prec=MAX_PREC, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)


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
    return with_unit(f"{value + 0.0:.4g}", unit)  # zero has no sign


def rounded(number: Decimal, decimals: int) -> Decimal:
    """Return a number with so many decimals, rounded like ``round`` of PostgreSQL: half away from zero."""
    return number.quantize(Decimal(1).scaleb(-decimals), context=ALL_DIGITS)


def number_text(
    value: float | Decimal,
    decimals: int = 0,
    unit: str = "",
    *,
    is_grouped: bool = True,
    is_exact: bool = True,
) -> str:
    """Return ``1,234.50``; what rounds to zero has no sign.

    Exact numbers have all their digits; others are in powers of ten beyond the 15 that are exact.
    """
    number = value if isinstance(value, Decimal) else Decimal(repr(value))
    if not number.is_finite():
        return with_unit(str(number), "")
    if abs(number) >= _MAX_PLAIN_NUMBER and not (is_exact and isinstance(value, int | Decimal)):
        return with_unit(f"{number.normalize(_FOUR_DIGITS):g}", unit)
    text = f"{rounded(number, decimals):{',' if is_grouped else ''}f}"
    return with_unit(text if text.strip("-0.,") else text.lstrip("-"), unit)


def with_unit(text: str, unit: str) -> str:
    """Add a unit: currencies in front, the percent sign at the end, other units after a space."""
    sign = MINUS if text.startswith("-") else ""
    digits = text.lstrip("-")
    if not unit:
        return sign + digits
    if unit in CURRENCIES:
        return f"{sign}{unit}{digits}"
    return f"{sign}{digits}{unit}" if unit == "%" else f"{sign}{digits}\u00a0{unit}"
