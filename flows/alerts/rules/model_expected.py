"""The key that makes a rule compare with what is expected of its value, in place of a bound.

Reads nothing, writes nothing.
"""

from decimal import Decimal
from typing import Annotated, Literal, cast

from pydantic import AllowInfNan, BeforeValidator, PlainSerializer

from analytics_worker.presentation.exact_numbers import json_number
from flows.alerts.rules.bounds import parse_number
from flows.alerts.rules.model_times import StrictModel

Season = Literal["week", "month", "auto"]
DEFAULT_SENSITIVITY = Decimal(4)
_LEVELS = ("critical", "warning")


def _parse_sensitivity(value: object) -> object:
    """Parse one number, or one for each severity."""
    if not isinstance(value, dict):
        return _positive(value)
    levels = cast("dict[object, object]", value)
    if set(levels) != set(_LEVELS):
        raise ValueError(f"{value!r:.60} is not valid; expected 4, or {{warning: 4, critical: 6}}")
    return {level: _positive(levels[level]) for level in _LEVELS}


def _positive(value: object) -> Decimal:
    number = parse_number(value)
    if number is None or not number.is_finite() or number <= 0:
        raise ValueError(
            f"{value!r:.60} is not valid; expected a number above 0, or {{warning: 4, critical: 6}}"
        )
    return number


def _parse_floor(value: object) -> Decimal:
    number = parse_number(value)
    if number is None or not number.is_finite() or number < 0:
        raise ValueError(f"{value!r:.60} is not valid; expected 0 or a number above it")
    return number


def _to_json(value: Decimal | dict[str, Decimal]) -> object:
    if isinstance(value, Decimal):
        return json_number(value)
    return {level: json_number(number) for level, number in value.items()}


_Number = Annotated[Decimal, AllowInfNan()]
Sensitivity = Annotated[
    _Number | dict[Literal["critical", "warning"], _Number],
    BeforeValidator(_parse_sensitivity),
    PlainSerializer(_to_json, when_used="json"),
]
Floor = Annotated[
    _Number, BeforeValidator(_parse_floor), PlainSerializer(_to_json, when_used="json")
]


class Expected(StrictModel):
    """What is expected of a value: the range of its samples at the same time of earlier days."""

    season: Season = "auto"
    """Which days are compared with: of the same day of the week or of the month; auto chooses."""
    sensitivity: Sensitivity = DEFAULT_SENSITIVITY
    """Half the width of the range, in scaled median absolute deviations; the highest severity first."""
    floor: Floor = Decimal(0)
    """The smallest deviation that counts."""
