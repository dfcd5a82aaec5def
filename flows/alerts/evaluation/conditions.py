"""Is a number beyond a bound, and which of two is worse.

Reads nothing, writes nothing. Infinity is compared like any number; NaN never arrives here.
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
    """Whether the condition holds; ``between`` includes both ends."""
    if comparison == "between":
        low, high = cast("list[float]", bound)
        return low <= value <= high
    return _COMPARISONS[comparison](value, cast("float", bound))


def badness(rule: Rule, value: float) -> float:
    """A number that grows the worse the value is, in the direction of the rule's operator."""
    if rule.operator in {"<", "<="}:
        return -value
    if rule.operator in {">", ">="}:
        return value
    bound = next(iter(rule.bounds.values()), 0.0)
    middle = sum(bound) / 2 if isinstance(bound, list) else bound
    distance = abs(value - middle) if value != middle else 0.0  # inf - inf would be NaN
    return distance if rule.operator == "!=" else -distance


def worse(rule: Rule, values: Iterable[float | None]) -> float | None:
    """The worst of some values; None if there is none."""
    known = [value for value in values if value is not None]
    return max(known, key=lambda value: badness(rule, value), default=None)
