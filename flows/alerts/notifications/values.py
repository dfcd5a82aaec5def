"""Write the values and bounds of a rule for readers, in its unit and format.

Reads nothing, writes nothing. Whole numbers have all their digits, others at most six decimals. A rounded
value never looks like a bound that it is not equal to: it has more decimals then, or all of them.
"""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

from analytics_worker.definitions.durations import format_duration
from analytics_worker.presentation.exact_numbers import EXACT, decimal_of, exact_text, usual_text
from analytics_worker.presentation.numbers import (
    CURRENCIES,
    MAX_DECIMALS,
    MAX_PLAIN_NUMBER,
    MINUS,
    needed_decimals,
    number_text,
    rounded,
    with_unit,
)
from flows.alerts.rules.model import Rule

SIGNS: Mapping[str, str] = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥"}
_MAX_DURATION_SECONDS = 1e11


def unit_of(rule: Rule) -> str:
    """Return the unit of the values as readers see it: a sign for a currency that has one."""
    if rule.format == "percent" or rule.measure == "change_percent":
        return "%"
    return SIGNS.get(rule.unit, rule.unit)


def value_text(rule: Rule, value: float | Decimal) -> str:
    """Return a value such as ``44%``, ``€12,300``, ``1h30m`` or ``5 days``."""
    number = decimal_of(value)
    if not number.is_finite():
        return exact_text(number)
    if rule.format == "duration":
        return _distinct_duration_text(rule, number)
    number = _number(rule, number)
    if not unit_of(rule) and rule.decimals is None:
        return _distinct_text(rule, number)
    return _with_unit(rule, number).replace("\u00a0", " ")


def sample_text(rule: Rule, sample: Decimal) -> str:
    """Return what the SQL returned; a change in percent is of a number that is not in percent."""
    return usual_text(sample) if rule.measure == "change_percent" else value_text(rule, sample)


def _distinct_text(rule: Rule, number: Decimal) -> str:
    """Return a number as usual; with all digits if it would look like a bound that it is not."""
    text = usual_text(number)
    bounds = (each for each in _bounds(rule) if each != number)
    return exact_text(number) if text in map(usual_text, bounds) else text


def _with_unit(rule: Rule, number: Decimal) -> str:
    if abs(number) >= MAX_PLAIN_NUMBER:
        return with_unit(exact_text(number), unit_of(rule))
    decimals = _decimals(rule, number)
    if decimals is None:
        return f"{exact_text(number, is_grouped=False)} {unit_of(rule)}".strip()
    return number_text(number, decimals, unit_of(rule))


def _number(rule: Rule, value: Decimal) -> Decimal:
    return EXACT.scaleb(value, 2) if rule.format == "percent" else value


def _bounds(rule: Rule) -> list[Decimal]:
    return [_number(rule, each) for each in rule.bound_values if each.is_finite()]


def _decimals(rule: Rule, number: Decimal) -> int | None:
    """Return the decimals of the rule, or those that the number needs, and more if it would look like a bound.

    None if it would look like one with all decimals that are shown.
    """
    start = _usual_decimals(rule, number) if rule.decimals is None else rule.decimals
    bounds = _bounds(rule)
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


def _distinct_duration_text(rule: Rule, seconds: Decimal) -> str:
    """Return a duration; in seconds with all digits if it would look like a bound that it is not."""
    text = _duration_text(seconds)
    bounds = (each for each in rule.bound_values if each.is_finite() and each != seconds)
    is_mistakable = text in map(_duration_text, bounds)
    return f"{exact_text(seconds, is_grouped=False)} s" if is_mistakable else text


def _duration_text(seconds: Decimal) -> str:
    size = seconds.copy_abs()
    if size > _MAX_DURATION_SECONDS:
        return f"{usual_text(seconds)} s"
    sign = MINUS if seconds < 0 else ""
    if size < 1:
        return f"{sign}{size:.3g}s"
    return sign + format_duration(timedelta(seconds=round(size)))
