"""Define which days are alike: by their day of the week or month, and by the calendar.

Reads nothing, writes nothing.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal

from analytics_worker.calendars.weekdays import WEEKDAYS
from analytics_worker.calendars.working_days import WorkingDays

Grouping = Literal["day", "week", "month", "day_off"]
"""All days are alike, those of the same day of the week or of the month, or all days off."""


@dataclass(frozen=True)
class DaySample:
    """A sample of an earlier day."""

    day: date
    value: Decimal


@dataclass
class Calendar:
    """Which days are unlike others of their day of the week."""

    working_days: WorkingDays = field(default_factory=WorkingDays)
    _days_off: dict[date, bool] = field(default_factory=dict[date, bool])

    def is_day_off(self, day: date) -> bool:
        """Return whether a day is no working day."""
        if day not in self._days_off:
            self._days_off[day] = day not in self.working_days
        return self._days_off[day]

    def is_holiday(self, day: date) -> bool:
        """Return whether a day is off whose day of the week is a working day."""
        return self.is_day_off(day) and WEEKDAYS[day.weekday()] in self.working_days.weekdays

    def belongs(self, day: date, grouping: Grouping) -> bool:
        """Return whether a day is compared with others: a holiday only with days off."""
        return self.is_day_off(day) if grouping == "day_off" else not self.is_holiday(day)


def group_of(day: date, grouping: Grouping) -> int:
    """Return what alike days have in common."""
    match grouping:
        case "week":
            return day.weekday()
        case "month":
            return day.day
        case _:
            return 0
