"""Compare values with bounds and with each other.

Reads nothing, writes nothing. Infinity is compared like any number; NaN is excluded before.
"""

import operator
from collections.abc import Callable, Iterable
from typing import cast

from flows.alerts.rules.model import Bound, Operator, Rule

_COMPARISONS: dict[Operator, Callable[[float, float], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def meets(value: float, comparison: Operator, bound: Bound) -> bool:
    """Return whether the condition is met; ``between`` includes both ends."""
    if comparison == "between":
        low, high = cast("list[float]", bound)
        return low <= value <= high
    return _COMPARISONS[comparison](value, cast("float", bound))


def distance_from_ok(rule: Rule, value: float) -> float:
    """Return a number that grows the worse the value is, in the direction of the rule's operator."""
    if rule.operator in {"<", "<="}:
        return -value
    if rule.operator in {">", ">="}:
        return value
    bound = next(iter(rule.bounds.values()), 0.0)
    middle = sum(bound) / 2 if isinstance(bound, list) else bound
    distance = abs(value - middle) if value != middle else 0.0  # inf - inf would be NaN
    return distance if rule.operator == "!=" else -distance


def worst_value(rule: Rule, values: Iterable[float | None]) -> float | None:
    """Return the worst value; None if there is none."""
    known = [value for value in values if value is not None]
    if len(known) < 2:  # noqa: PLR2004  # the usual case
        return known[0] if known else None
    return max(known, key=lambda value: distance_from_ok(rule, value))
