"""Read and store the bounds of a rule without losing a digit.

Reads nothing, writes nothing. A number of YAML or JSON is a bound, and so is a text that contains one: YAML
takes ``1e15`` for a text, and keeps all digits of a text.
"""

from decimal import Decimal
from typing import Annotated, cast

from pydantic import AllowInfNan, BeforeValidator, PlainSerializer

from analytics_worker.database.server_values import TEXT, number_of
from analytics_worker.presentation.exact_numbers import decimal_of, json_number


def parse_bound(value: object) -> Decimal | list[Decimal]:
    """Return one number, or two for ``between``; no booleans.

    Raises:
        ValueError: it is not a number, or not two.
    """
    numbers = cast("list[object]", value) if isinstance(value, list) else [value]
    found = [number for number in map(parse_number, numbers) if number is not None]
    if len(found) == len(numbers) == 1 and numbers[0] is value:
        return found[0]
    if len(found) == len(numbers) == 2:  # noqa: PLR2004  # low and high
        return found
    raise ValueError(
        f"{value!r:.60} is not a valid bound; expected 5, or [1, 5] with operator between"
    )


def parse_number(value: object) -> Decimal | None:
    """Return a number of YAML or JSON, or of a text; None of anything else."""
    number = _read(value)
    return None if number is None or number.is_nan() else number


def _read(value: object) -> Decimal | None:
    match value:
        case bool():
            return None
        case int() | float() | Decimal():
            return decimal_of(value)
        case str():
            try:
                return number_of(value, TEXT)
            except ValueError:
                return None
        case _:
            return None


def _to_json(bound: Decimal | list[Decimal]) -> object:
    return [json_number(each) for each in bound] if isinstance(bound, list) else json_number(bound)


_Number = Annotated[Decimal, AllowInfNan()]

Bound = Annotated[
    _Number | list[_Number],
    BeforeValidator(parse_bound),
    PlainSerializer(_to_json, when_used="json"),
]
