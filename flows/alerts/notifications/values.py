"""Write the values and bounds of a rule for readers, in its unit and format.

Reads nothing, writes nothing. A rule without unit, format or decimals has all digits of its values. A
rounded value never looks like a bound that it is not equal to: it has more decimals then.
"""

import math
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from analytics_worker.definitions.durations import format_duration
from analytics_worker.presentation.numbers import (
    ALL_DIGITS,
    CURRENCIES,
    MAX_DECIMALS,
    MINUS,
    needed_decimals,
    rounded,
)
from analytics_worker.presentation.numbers import number_text as rounded_text
from analytics_worker.user_templates.rendering import number_text
from flows.alerts.rules.model import Rule

SIGNS: Mapping[str, str] = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_MAX_DURATION_SECONDS = 1e11


def unit_of(rule: Rule) -> str:
    """Return the unit of the values as readers see it: a sign for a currency that has one."""
    if rule.format == "percent" or rule.measure == "change_percent":
        return "%"
    return SIGNS.get(rule.unit, rule.unit)


def value_text(rule: Rule, value: float) -> str:
    """Return a value such as ``44%``, ``€12,300``, ``1h30m`` or ``5 days``."""
    if not math.isfinite(value):
        return number_text(value)
    if rule.format == "duration":
        return _distinct_duration_text(rule, value)
    unit = unit_of(rule)
    if not unit and rule.decimals is None:
        return number_text(value)
    number = _number(rule, value)
    decimals = _decimals(rule, number)
    if decimals is None:
        return f"{float(number)!r} {unit}".strip()
    text = rounded_text(number, decimals, unit, is_exact=False)
    return text.replace("\u00a0", " ")


def _number(rule: Rule, value: float) -> Decimal:
    number = Decimal(repr(float(value)))
    return number.scaleb(2, ALL_DIGITS) if rule.format == "percent" else number


def _decimals(rule: Rule, number: Decimal) -> int | None:
    """Return the decimals of the rule, or those that the number needs, and more if it would look like a bound.

    None if it would look like one with all decimals that are shown.
    """
    start = _usual_decimals(rule, number) if rule.decimals is None else rule.decimals
    bounds = [_number(rule, each) for each in rule.bound_values if math.isfinite(each)]
    most = max(start, MAX_DECIMALS)
    needed = (n for n in range(start, most + 1) if not _is_mistakable(number, bounds, n))
    return next(needed, None)


def _usual_decimals(rule: Rule, number: Decimal) -> int:
    """Return the decimals that the number needs; amounts of money have two or none."""
    needed = needed_decimals([number])
    return max(needed, 2) if needed and unit_of(rule) in CURRENCIES else needed


def _is_mistakable(number: Decimal, bounds: list[Decimal], decimals: int) -> bool:
    shown = rounded(number, decimals)
    return any(number != bound and shown == rounded(bound, decimals) for bound in bounds)


def _distinct_duration_text(rule: Rule, seconds: float) -> str:
    """Return a duration; in seconds with all digits if it would look like a bound that it is not."""
    text = _duration_text(seconds)
    bounds = (each for each in rule.bound_values if math.isfinite(each) and each != seconds)
    is_mistakable = text in map(_duration_text, bounds)
    return f"{seconds!r} s" if is_mistakable else text


def _duration_text(seconds: float) -> str:
    size = abs(seconds)
    if size > _MAX_DURATION_SECONDS:
        return f"{number_text(seconds)} s"
    sign = MINUS if seconds < 0 else ""
    if size < 1:
        return f"{sign}{size:.3g}s"
    return sign + format_duration(timedelta(seconds=round(size)))
