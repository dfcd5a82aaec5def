"""Compute medians and deviations from them, exactly.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from decimal import Decimal

from analytics_worker.presentation.exact_numbers import EXACT, middle

_SCALE = Decimal("1.4826")
"""Standard deviations of normally distributed values in their median absolute deviation."""
_TAIL, _TAIL_SCALE = 0.9, Decimal("0.608")
"""The same for the deviation that this share of the values stays within."""


def median(ordered: Sequence[Decimal]) -> Decimal:
    """Return the median of ordered values."""
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else middle(ordered[half - 1], ordered[half])


def residuals_of(ordered: Sequence[Decimal]) -> list[Decimal]:
    """Return how far each of the ordered values is from the median of the others; none of a single one."""
    if len(ordered) < 2:  # noqa: PLR2004
        return []
    half = len(ordered) // 2
    above, below = _medians_without(ordered)
    return [
        *(EXACT.subtract(above, value) for value in ordered[:half]),
        *(_distances_in_the_middle(ordered) if len(ordered) % 2 else ()),
        *(EXACT.subtract(value, below) for value in ordered[-half:]),
    ]


def _medians_without(ordered: Sequence[Decimal]) -> tuple[Decimal, Decimal]:
    """Return the medians of ordered values without one of the lower half, and without one of the upper half."""
    half = len(ordered) // 2
    if len(ordered) % 2 == 0:
        return ordered[half], ordered[half - 1]
    return middle(ordered[half], ordered[half + 1]), middle(ordered[half - 1], ordered[half])


def _distances_in_the_middle(ordered: Sequence[Decimal]) -> list[Decimal]:
    half = len(ordered) // 2
    others = middle(ordered[half - 1], ordered[half + 1])
    return [EXACT.subtract(ordered[half], others).copy_abs()]


def spread_of(residuals: Sequence[Decimal]) -> Decimal:
    """Return the scaled median of the residuals; if more than half of them are zero, that of their tail."""
    ordered = sorted(residuals)
    deviation = median(ordered)
    if deviation:
        return EXACT.multiply(deviation, _SCALE)
    return EXACT.multiply(ordered[int(_TAIL * (len(ordered) - 1))], _TAIL_SCALE)
