"""The keys that say when a rule is due at times of its own.

Reads nothing, writes nothing.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from analytics_worker.calendars.time_types import Cron, TimesOfDay
from analytics_worker.calendars.weekdays import WORKING, Weekdays
from analytics_worker.timezones import Timezone


class StrictModel(BaseModel):
    """A part of a definition; unknown keys and other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RuleTimes(StrictModel):
    """When a rule is due: by ``at`` or ``cron``, else every period; with ``calendar`` on working days only."""

    at: TimesOfDay = []
    cron: Cron | None = None
    weekdays: Weekdays | None = None
    calendar: Literal["working_days"] | None = None
    timezone: Timezone | None = None
    """Of the times in messages, and of those at which the rule is due."""

    @property
    def has_own_times(self) -> bool:
        """Whether it is due by ``at`` or ``cron``, not every period."""
        return bool(self.at or self.cron)

    @property
    def uses_calendar(self) -> bool:
        """Whether it depends on which days are working days."""
        return self.calendar is not None or self.weekdays in WORKING
