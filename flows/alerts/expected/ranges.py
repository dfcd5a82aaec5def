"""Turn a baseline into the range of a rule: bounds for each severity, and the text that explains them.

Reads nothing, writes nothing. The bounds are rounded outward to a hundredth of the deviation that counts, so that
readers see the numbers that are compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

from analytics_worker.presentation.exact_numbers import EXACT
from flows.alerts.expected.baseline import Baseline
from flows.alerts.expected.days import Grouping
from flows.alerts.rules.model import Rule, Severity
from flows.alerts.rules.model_expected import Expected

_ROUND_DIGITS = 2


@dataclass(frozen=True)
class ExpectedRange:
    """What is expected of a value; beyond it, a severity is reached."""

    bounds: Mapping[Severity, tuple[Decimal, Decimal]]
    """Low and high of each severity, the highest severity first."""
    days: str
    """Which days it is of: ``for Mondays at 09:00``."""
    samples: int


def expected_range(
    rule: Rule, expected: Expected, baseline: Baseline, at: datetime
) -> ExpectedRange:
    """Return the range of a rule at a local time."""
    levels = expected.sensitivity
    by_severity: dict[Severity, Decimal] = (
        {**levels} if isinstance(levels, dict) else {rule.severity: levels}
    )
    return ExpectedRange(
        {
            severity: _range(baseline, sensitivity, expected.floor)
            for severity, sensitivity in by_severity.items()
        },
        days_text(baseline.grouping, at),
        baseline.samples,
    )


def _range(baseline: Baseline, sensitivity: Decimal, floor: Decimal) -> tuple[Decimal, Decimal]:
    size = max(EXACT.multiply(baseline.spread, sensitivity), floor)
    low, high = EXACT.subtract(baseline.center, size), EXACT.add(baseline.center, size)
    if not size:
        return low, high
    unit = Decimal(1).scaleb(size.adjusted() - _ROUND_DIGITS, EXACT)
    return (
        low.quantize(unit, ROUND_FLOOR, EXACT),
        high.quantize(unit, ROUND_CEILING, EXACT),
    )


def days_text(grouping: Grouping, at: datetime) -> str:
    """Return which days a value is compared with, such as ``for Mondays at 09:00``."""
    names: dict[Grouping, str] = {
        "day": "",
        "week": f"for {at:%A}s ",
        "month": f"for day {at.day} of the month ",
        "day_off": "for days off ",
    }
    return f"{names[grouping]}at {at:%H:%M}"


def bounded_rule(rule: Rule, of: ExpectedRange | None) -> Rule:
    """Return the rule with the bounds of its range; unchanged, and so without bounds, if there is none."""
    if of is None:
        return rule
    position = {"<": 0, ">": 1}.get(rule.operator)
    bounds = {
        severity: list(pair) if position is None else pair[position]
        for severity, pair in of.bounds.items()
    }
    changes: dict[str, Any] = {"expected": None, **bounds}
    if len(bounds) == 1:
        changes = {"expected": None, "threshold": next(iter(bounds.values()))}
    return rule.model_copy(update=changes)
