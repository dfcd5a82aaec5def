"""Compute with decimal numbers exactly, and write them with all their digits.

Reads nothing, writes nothing. The usual context of ``decimal`` keeps 28 digits, even of ``-number``: what is
compared with a bound is computed here.
"""

from collections.abc import Iterable
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from functools import reduce

EXACT = Context(prec=MAX_PREC, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""All digits; what has no result, as infinity less infinity, is NaN."""
MAX_SHOWN_DIGITS = 40
_QUOTIENT = Context(prec=34, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_SIX_DIGITS = Context(prec=6, rounding=ROUND_HALF_UP, Emax=MAX_EMAX, Emin=MIN_EMIN)
_CUT = Context(prec=MAX_SHOWN_DIGITS, rounding="ROUND_DOWN", Emax=MAX_EMAX, Emin=MIN_EMIN)
_SCIENTIFIC_FROM, _ROUND_DIGITS = 15, 6
_USUAL_DECIMALS = 6


def decimal_of(value: float | Decimal) -> Decimal:
    """Return a number as decimal: of a float the digits that identify it."""
    return value if isinstance(value, Decimal) else Decimal(repr(value))


def total(values: Iterable[Decimal]) -> Decimal:
    """Return the sum; NaN of both infinities."""
    return reduce(EXACT.add, values, Decimal(0))


def change(value: Decimal, base: Decimal) -> Decimal:
    """Return the difference to a base."""
    return EXACT.subtract(value, base)


def change_percent(value: Decimal, base: Decimal) -> Decimal:
    """Return the difference to a base in percent of it, to 34 digits; infinity if the base is zero."""
    difference = change(value, base)
    if not difference:
        return difference
    if not base:
        return Decimal("Infinity").copy_sign(difference)
    return _QUOTIENT.divide(EXACT.scaleb(difference, 2), base.copy_abs())


def ratio(value: Decimal, base: Decimal) -> Decimal:
    """Return the quotient, to 34 digits."""
    return _QUOTIENT.divide(value, base)


def middle(low: Decimal, high: Decimal) -> Decimal:
    """Return the number between two others."""
    return EXACT.multiply(EXACT.add(low, high), Decimal("0.5"))


def json_number(value: Decimal | None) -> float | str | None:
    """Return the number for JSON; as text if double precision has not all its digits, or if it is infinite.

    Programs that read JSON make doubles of its numbers.
    """
    if value is None:
        return None
    number = float(value)
    if value.is_infinite():
        return str(number)
    return number if value == Decimal(repr(number)) else str(value)


def usual_text(value: Decimal) -> str:
    """Return ``1,234.5``, with at most six decimal places: not exact."""
    if not value.is_finite() or value.adjusted() >= _SCIENTIFIC_FROM:
        return exact_text(value)
    text = _without_zeros(f"{EXACT.quantize(value, Decimal(1).scaleb(-_USUAL_DECIMALS)):,f}")
    return exact_text(_SIX_DIGITS.plus(value)) if value and text == "0" else text


def short_text(value: Decimal) -> str:
    """Return six digits, or all digits before the decimal point if there are more."""
    if not value.is_finite() or value.adjusted() < _ROUND_DIGITS - 1:
        return usual_text(_SIX_DIGITS.plus(value))
    return usual_text(EXACT.quantize(value, Decimal(1)))


def exact_text(value: Decimal, *, is_grouped: bool = True) -> str:
    """Return all digits, such as ``9,007,199,254,740,993`` or ``1e+400``; of hundreds of digits, the first."""
    if not value.is_finite():
        return str(float(value))
    if not value:
        return "0"
    shortest = EXACT.normalize(value)
    size, count = shortest.adjusted(), len(shortest.as_tuple().digits)
    is_round = size >= _SCIENTIFIC_FROM and count <= _ROUND_DIGITS
    if -_USUAL_DECIMALS <= size < MAX_SHOWN_DIGITS and count <= MAX_SHOWN_DIGITS and not is_round:
        return f"{shortest:{',' if is_grouped else ''}f}"
    if count <= MAX_SHOWN_DIGITS:
        return f"{shortest:e}"
    digits, _, exponent = f"{_CUT.plus(shortest):e}".partition("e")
    return f"{digits}…e{exponent}"


def _without_zeros(text: str) -> str:
    text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
