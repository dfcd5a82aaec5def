"""The types of the keys that say when something is due.

Reads nothing, writes nothing.
"""

from datetime import time
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator

from analytics_worker.calendars.due_times import parse_cron


def _time_of_day(value: object) -> object:
    """Parse ``09:30``; YAML reads an unquoted one as a number of minutes."""
    if isinstance(value, str):
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, time):
        return value
    raise ValueError(f'{value!r} is not a valid time of day; expected one in quotes: "09:30"')


def _checked_cron(expression: str) -> str:
    parse_cron(expression)
    return expression


def _whole_minutes(value: time) -> time:
    if value.second or value.microsecond or value.tzinfo:
        raise ValueError(f'{value} is not valid; expected hours and minutes: "09:30"')
    return value


def _as_list(value: object) -> object:
    return value if isinstance(value, list) else [value]


Cron = Annotated[str, AfterValidator(_checked_cron)]
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
MinuteOfDay = Annotated[TimeOfDay, AfterValidator(_whole_minutes)]
TimesOfDay = Annotated[list[MinuteOfDay], BeforeValidator(_as_list)]
