"""Check how the keys combine that say when a report or rule is due; each problem names its key.

Reads definitions/calendar.yml if it is due on working days; writes nothing.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol

from analytics_worker.calendars.due_times import DueTimes, parse_cron
from analytics_worker.calendars.time_types import TimesOfDay
from analytics_worker.calendars.weekdays import WORKING, Weekday, WorkingDay
from analytics_worker.calendars.working_days import load_working_days
from analytics_worker.definitions.yaml_definitions import DefinitionError

Problem = tuple[str, str]


class OwnTimes(Protocol):
    """A report or rule with the keys of its times."""

    @property
    def at(self) -> TimesOfDay: ...  # a key

    @property
    def cron(self) -> str | None: ...

    @property
    def weekdays(self) -> WorkingDay | list[Weekday] | None: ...


def combination_problems(definition: OwnTimes) -> Iterator[Problem]:
    """Yield the problems in how at, cron and weekdays combine."""
    cron, weekdays = definition.cron, definition.weekdays
    if not definition.at and not cron and weekdays is not None:
        yield "weekdays", "weekdays needs a time; expected at or cron, too"
    if not cron:
        return
    if definition.at:
        yield "at", "cron and at exclude each other; expected one of them"
    parts = parse_cron(cron).parts
    if weekdays is not None and (parts[3], parts[5]) != ("*", "*"):
        yield (
            "weekdays",
            f"cron {cron!r} names days, too; expected * in their place, or no weekdays",
        )


def calendar_problems() -> Iterator[Problem]:
    """Yield a problem if the calendar is not valid."""
    try:
        load_working_days()
    except DefinitionError as error:
        yield "calendar", f"the calendar is not valid: {error.problems[0]}"


def due_problems(
    definition: OwnTimes, what: str, due_times: Callable[[], DueTimes | None]
) -> Iterator[Problem]:
    """Yield a problem if the calendar is not valid, or if no time is ever due."""
    try:
        times = due_times()
    except DefinitionError as error:
        yield "weekdays", f"the calendar is not valid: {error.problems[0]}"
        return
    if times and next(times.after(datetime.now(UTC)), None) is None:
        field = "cron" if definition.cron else "weekdays"
        hint = "; see definitions/calendar.yml" if definition.weekdays in WORKING else ""
        yield field, f"the {what} is never due{hint}"
