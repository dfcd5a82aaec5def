"""Parse and format durations as definitions have them: ``30s``, ``10m``, ``2h``, ``1d``, ``1h30m``.

Reads nothing, writes nothing. `Duration` is the pydantic type; it is stored the way it is written.
"""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_UNITS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:\d+[wdhms])+")
_PART = re.compile(r"(\d+)([wdhms])")
MAX_DURATION = timedelta(days=3660)


def parse_duration(value: object) -> timedelta:
    """Parse a duration such as ``1h30m``.

    Raises:
        ValueError: it is not a valid duration, or longer than ten years.
    """
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not _DURATION.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a valid duration; expected e.g. 30s, 10m, 2h, 1d or 1h30m"
        )
    seconds = sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(value))
    if seconds > MAX_DURATION.total_seconds():
        raise ValueError(f"{value!r} is longer than ten years")
    return timedelta(seconds=seconds)


def format_duration(duration: timedelta) -> str:
    """Return the shortest exact text of whole seconds: ``1h30m`` for 90 minutes, ``0s`` for none."""
    seconds, parts = int(duration.total_seconds()), ""
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        parts += f"{count}{unit}" if count else ""
    return parts or "0s"


Duration = Annotated[
    timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)
]
