"""Define a promise: by which time of day a report is delivered, or a relation is complete, and on which days.

Reads definitions/calendar.yml if it is of working days; writes nothing.
"""

from pydantic import BaseModel, ConfigDict

from analytics_worker.calendars.due_times import DueTimes
from analytics_worker.calendars.time_types import MinuteOfDay
from analytics_worker.calendars.weekdays import WORKING, Weekdays
from analytics_worker.calendars.working_days import WorkingDays, load_working_days
from analytics_worker.timezones import Timezone


class Promise(BaseModel):
    """A time of day, on all days or on some."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    by: MinuteOfDay
    weekdays: Weekdays | None = None
    timezone: Timezone | None = None
    """Time zone of the time and the days; without one, that of the report or file."""

    def due_times(self, timezone: str) -> DueTimes:
        """Return the instants by which it is to be kept.

        Args:
            timezone: The time zone of a promise without one of its own.

        Raises:
            DefinitionError: it is of working days, and the calendar is not valid.
        """
        days = tuple(self.weekdays) if isinstance(self.weekdays, list) else self.weekdays
        return DueTimes(
            timezone=self.timezone or timezone,
            times=(self.by,),
            days=days,
            working_days=load_working_days() if days in WORKING else WorkingDays(),
        )
