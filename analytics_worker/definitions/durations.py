"""Lengths of time as people write them in definitions: ``30s``, ``10m``, ``2h``, ``1d``, ``1h30m``.

Reads nothing, writes nothing. `Duration` is the pydantic type; it is stored the way it is written.
"""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_WHOLE = re.compile(r"(?:\d+[wdhms])+")
_PART = re.compile(r"(\d+)([wdhms])")
LONGEST = timedelta(days=3660)


def parse_duration(value: object) -> timedelta:
    """The length of time that a text such as ``1h30m`` means.

    Raises:
        ValueError: it is no such text, or longer than ten years.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _WHOLE.fullmatch(value):
        raise ValueError(f"{value!r} is no length of time; write 30s, 10m, 2h, 1d or 1h30m")
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    if seconds > LONGEST.total_seconds():
        raise ValueError(f"{value!r} is longer than ten years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """The shortest exact text of whole seconds: ``1h30m`` for 90 minutes, ``0s`` for none."""
    seconds, parts = int(duration.total_seconds()), ""
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
