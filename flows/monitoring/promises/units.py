"""Read the promises of reports and relations.

Reads ops.report_definitions and definitions/trust.yml; writes nothing. One that is not valid stops no other.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from sqlalchemy import Connection

from analytics_worker.calendars.promise import Promise
from analytics_worker.calendars.schedules import PeriodName, ScheduleType
from analytics_worker.calendars.time_types import Cron, TimesOfDay
from analytics_worker.calendars.weekdays import Weekdays
from analytics_worker.completeness.trust_file import load_promises
from analytics_worker.database.connections import run_sql
from analytics_worker.definitions.yaml_definitions import DefinitionError
from analytics_worker.lineage.relations import relation
from analytics_worker.text import one_line
from analytics_worker.timezones import UTC, Timezone


class PromisedReport(BaseModel):
    """The keys of a stored report that say when it is due, and its promise."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    schedule: Literal[ScheduleType, "manual"] = "manual"
    at: TimesOfDay = []
    cron: Cron | None = None
    weekdays: Weekdays | None = None
    timezone: Timezone = UTC
    period: PeriodName | None = None
    owner: str | None = None
    promise: Promise


@dataclass(frozen=True)
class PromisedUnit:
    """A report or relation with a promise."""

    name: str
    promise: Promise
    timezone: str
    schema_name: str = ""
    relation_name: str = ""
    report: str = ""
    schedule: PromisedReport | None = None
    """When the report is due; None for a relation."""
    created_at: datetime | None = None
    """Since when the report is stored."""

    def row(self) -> dict[str, Any]:
        """Return the form in which ops.promises stores it."""
        return {
            "name": self.name,
            "kind": "report" if self.schedule else "relation",
            "schema_name": self.schema_name,
            "relation_name": self.relation_name,
            "report": self.report,
            "definition": self.promise.model_dump(mode="json", exclude_none=True),
            "timezone": self.promise.timezone or self.timezone,
            "owner": self.schedule.owner if self.schedule else None,
        }


@dataclass
class PromisedUnits:
    """The promises, and those that could not be read."""

    units: list[PromisedUnit] = field(default_factory=list[PromisedUnit])
    unread_kinds: list[str] = field(default_factory=list[str])
    unread_names: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])


def promised_units(connection: Connection) -> PromisedUnits:
    """Return all promises; what can't be read stays as it was."""
    found = PromisedUnits()
    try:
        found.units += _relations()
    except DefinitionError as error:
        found.unread_kinds.append("relation")
        found.problems.append(one_line(str(error)))
    for row in run_sql(connection, "monitoring/promised_reports"):
        name = f"report {row['name']}"
        try:
            report = PromisedReport.model_validate_json(row["definition"])
        except ValidationError:
            found.unread_names.append(name)
            found.problems.append(
                f"{name}: the stored definition is out of date, run `reports sync`"
            )
            continue
        found.units.append(
            PromisedUnit(
                name,
                report.promise,
                report.timezone,
                report=row["name"],
                schedule=report,
                created_at=row["created_at"],
            )
        )
    return found


def _relations() -> Iterator[PromisedUnit]:
    for each in load_promises():
        yield PromisedUnit(
            relation(each.schema, each.relation).name,
            each.promise,
            each.timezone,
            schema_name=each.schema,
            relation_name=each.relation,
        )
