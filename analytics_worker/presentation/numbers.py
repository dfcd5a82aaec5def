"""Write numbers for readers of reports and alerts: with a unit, rounded, grouped.

Reads nothing, writes nothing.
"""

from collections.abc import Sequence
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from typing import Annotated

from analytics_worker.definitions.text_types import matching

CURRENCIES = frozenset({"$", "\u20ac", "\u00a3", "\u00a5"})
MINUS = "\u2212"
MAX_DECIMALS = 6
_MAX_USUAL_DECIMALS = 2
_MAGNITUDES = ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k"))
MAX_PLAIN_NUMBER = 1e15
_FOUR_DIGITS = Context(prec=4, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
ALL_DIGITS = Context(prec=MAX_PREC, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)

Unit = Annotated[
    str,
    matching(
        r"[^\x00-\x1f\x7f\"]{0,20}",
        "is not a valid unit; expected up to 20 characters, without double quotes and line ends",
    ),
]


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
    if abs(number) >= MAX_PLAIN_NUMBER and not (is_exact and isinstance(value, int | Decimal)):
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


def needed_decimals(numbers: Sequence[Decimal]) -> int:
    """Return the decimals that numbers need, at most two unless all of them are small."""
    largest = max(map(abs, numbers), default=Decimal(0))
    limit = _MAX_USUAL_DECIMALS if largest >= 1 or not largest else 2 - largest.adjusted()
    limit = min(limit, MAX_DECIMALS)
    negligible = Decimal(1).scaleb(-limit - 3)
    for decimals in range(limit):
        if all(abs(each - rounded(each, decimals)) < negligible for each in numbers):
            return decimals
    return limit
