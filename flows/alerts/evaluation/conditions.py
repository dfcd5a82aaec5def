"""Compare values with bounds and with each other, exactly, as the server compares ``numeric``.

Reads nothing, writes nothing. Infinity is compared like any number; NaN is excluded before.
"""

import operator
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import cast

from analytics_worker.presentation.exact_numbers import change, middle
from flows.alerts.rules.model import Bound, Operator, Rule

_COMPARISONS: dict[Operator, Callable[[Decimal, Decimal], bool]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}


def meets(value: Decimal, comparison: Operator, bound: Bound) -> bool:
    """Return whether the condition is met; ``between`` includes both ends, ``outside`` none of them."""
    if comparison in {"between", "outside"}:
        low, high = cast("list[Decimal]", bound)
        return (low <= value <= high) is (comparison == "between")
    return _COMPARISONS[comparison](value, cast("Decimal", bound))


def distance_from_ok(rule: Rule, value: Decimal) -> Decimal:
    """Return a number that grows the worse the value is, in the direction of the rule's operator."""
    if rule.operator in {"<", "<="}:
        return value.copy_negate()
    if rule.operator in {">", ">="}:
        return value
    bound = next(iter(rule.bounds.values()), Decimal(0))
    center = middle(*bound) if isinstance(bound, list) else bound
    is_center = center.is_nan() or value == center  # inf - inf would be NaN
    distance = Decimal(0) if is_center else change(value, center).copy_abs()
    return distance if rule.operator in {"!=", "outside"} else distance.copy_negate()


def worst_value(rule: Rule, values: Iterable[Decimal | None]) -> Decimal | None:
    """Return the worst value; None if there is none."""
    known = [value for value in values if value is not None]
    if len(known) < 2:  # noqa: PLR2004  # the usual case
        return known[0] if known else None
    return max(known, key=lambda value: distance_from_ok(rule, value))
