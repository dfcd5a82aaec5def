"""Define the schedules of ``prefect.yaml``. Reads and writes nothing."""

from typing import Annotated, Any, Self

from prefect.client.schemas.schedules import CronSchedule
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    PositiveInt,
    model_validator,
)
from typing_extensions import override

from analytics_worker.timezones import Timezone


def _valid_cron(cron: str) -> str:
    CronSchedule(cron=cron, timezone="UTC")
    return cron


class Schedule(BaseModel):
    """A schedule of a deployment, with the parameters of its runs: cron, or a number of seconds from an instant."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cron: Annotated[str, AfterValidator(_valid_cron)] | None = None
    interval: PositiveInt | None = None
    anchor_date: AwareDatetime | None = None
    timezone: Timezone
    slug: str
    active: bool = True
    parameters: dict[str, Any] = {}

    @model_validator(mode="after")
    def _has_times(self) -> Self:
        if (self.cron is None) == (self.interval is None):
            raise ValueError("expected either cron or interval")
        if (self.interval is None) != (self.anchor_date is None):
            raise ValueError("interval and anchor_date belong together")
        return self

    @property
    def times(self) -> dict[str, Any]:
        """Return the schedule as Prefect stores it."""
        names = {"cron", "interval", "anchor_date", "timezone"}
        return self.model_dump(mode="json", include=names, exclude_none=True)

    @override
    def __str__(self) -> str:
        """Describe it: the cron expression, or ``60 s from second 30``."""
        if self.cron is not None or self.anchor_date is None:
            return f"`{self.cron}` {self.timezone}"
        return f"every {self.interval} s from {self.anchor_date:%H:%M:%S} {self.timezone}"
