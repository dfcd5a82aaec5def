"""The ends of stacked values: positive ones on top of each other, negative ones below zero.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence

from flows.reports.formats.charts.axis import finite

Ends = tuple[float, float]
"""Where a bar starts and ends."""


def value_ends(values: Sequence[float | None], *, stacked: bool) -> list[Ends | None]:
    """Return where each value's bar starts and ends; None for missing values."""
    above = below = 0.0
    ends: list[Ends | None] = []
    for value in values:
        if value is None:
            ends.append(None)
            continue
        base = (above if value >= 0 else below) if stacked else 0.0
        above, below = finite(above + max(value, 0)), finite(below + min(value, 0))
        ends.append((base, finite(base + value)))
    return ends


def extremes(ends: Sequence[Ends | None]) -> tuple[float, float]:
    """Return the least and the greatest end, zero included."""
    edges = [edge for pair in ends if pair for edge in pair]
    return min(edges, default=0.0), max(edges, default=0.0)
