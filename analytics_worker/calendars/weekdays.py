"""Define the days on which something is due: days of the week, or working days.

Reads nothing, writes nothing. `Weekdays` is the pydantic type; it is stored as it is compared.
"""

from typing import Annotated, Literal, cast

from pydantic import BeforeValidator

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""The days in the order of `datetime.date.weekday`."""

WorkingDay = Literal["working", "first_working", "last_working"]
WORKING: tuple[WorkingDay, ...] = ("working", "first_working", "last_working")
"""Every working day, or the first or last one of each month."""


def _expanded(value: object) -> object:
    """Expand ``mon-fri``, ``mon, thu`` and lists of both to a list of days in their order."""
    if value in WORKING:
        return value
    if isinstance(value, list) and value:
        parts = [str(each) for each in cast("list[object]", value)]
    else:
        parts = value.split(",") if isinstance(value, str) else []
    days = {day for part in parts for day in _days(part.strip().lower())}
    if not days:
        raise ValueError(_message(value))
    return [day for day in WEEKDAYS if day in days]


def _days(part: str) -> list[Weekday]:
    first, _, last = part.partition("-")
    names = [str(day) for day in WEEKDAYS]
    if first not in names or (last or first) not in names:
        raise ValueError(_message(part))
    start, end = names.index(first), names.index(last or first)
    return list((WEEKDAYS * 2)[start : end + 1 + (7 if end < start else 0)])


def _message(value: object) -> str:
    return (
        f"{value!r:.60} is not valid; expected days such as [mon, thu] or mon-fri, or one of"
        f" {', '.join(WORKING)}"
    )


WeekdayList = Annotated[list[Weekday], BeforeValidator(_expanded)]
Weekdays = Annotated[WorkingDay | list[Weekday], BeforeValidator(_expanded)]
