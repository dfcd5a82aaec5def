"""The model of a report, as definitions/reports.yml and payloads define it.

Reads nothing, writes nothing. The model checks each field on its own.
`flows.reports.definitions.validation` checks their combination before a report is stored or requested.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from analytics_worker.calendars.promise import Promise
from analytics_worker.calendars.schedules import PeriodName, ScheduleType
from analytics_worker.calendars.time_types import Cron, TimeOfDay, TimesOfDay
from analytics_worker.calendars.weekdays import Weekdays
from analytics_worker.definitions.durations import Duration
from analytics_worker.definitions.text_types import Address, ChannelName, Line
from analytics_worker.timezones import Timezone
from flows.reports.definitions.parameters import Parameters
from flows.reports.formats import Better, ChartKind, ColumnOptions, FormatError, get_format

Schedule = Literal[ScheduleType, "manual"]
MAX_SQL_LENGTH = 100_000

Sql = Annotated[str, StringConstraints(min_length=1, max_length=MAX_SQL_LENGTH)]
Addresses = Annotated[
    list[Address], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


def _canonical_format(name: str) -> str:
    try:
        return get_format(name).name
    except FormatError as error:
        raise ValueError(str(error)) from None


class _StrictModel(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Recipients(_StrictModel):
    """Recipients of the report; those in ``bcc`` are in no header."""

    to: Addresses = []
    cc: Addresses = []
    bcc: Addresses = []
    channels: list[ChannelName] = []
    """``email``, ``webhook``, ``slack``, or names of channel blocks."""


def _recipients(value: object) -> object:
    """Expand ``ann@example.com, bob@example.com`` or a list to ``to: […]``."""
    if isinstance(value, str):
        return {"to": [address.strip() for address in value.split(",") if address.strip()]}
    return {"to": value} if isinstance(value, list) else value


class PartRequires(_StrictModel):
    """What must hold for a part of a report to be shown. Until then, it is held, and the rest of the report is sent."""

    tests: Literal["passed"] | None = None
    fresh: Annotated[Duration, Field(gt=timedelta(0))] | None = None
    """Maximum age of its data."""
    complete: bool = False
    """Whether its data must be complete through the end of its period."""
    no_incident: Literal["critical", "warning"] | None = None
    """The lowest severity of the incidents that hold it."""

    @property
    def is_empty(self) -> bool:
        """Whether it requires nothing."""
        return not (self.tests or self.fresh or self.complete or self.no_incident)


class TableDefinition(_StrictModel):
    """One table of a report."""

    title: Line
    sql: Sql
    columns: dict[str, ColumnOptions] = {}
    requires: PartRequires | None = None


class ForEach(_StrictModel):
    """A query that the report is generated for each row of; its columns are parameters."""

    sql: Sql
    key: Line
    to: Line | None = None
    """Column with the address, or addresses separated by commas, that the row's report is sent to."""


class After(_StrictModel):
    """The data that a report waits for: runs or tests of dbt, and refreshes, since its period ended."""

    dbt: Literal["run", "test"] | None = None
    views: list[Line] = []
    latest: TimeOfDay
    otherwise: Literal["deliver", "tell"] = "deliver"


class Requires(PartRequires):
    """What must hold for a report to be sent. Until then, it is held."""

    latest: TimeOfDay | None = None
    """When it is sent marked unverified; without it, it is not sent if it is held until it is due again."""


class TileDefinition(_StrictModel):
    """A number at the top of the page, and what it is compared with.

    Without ``previous``, SQL that uses the period is run again for the previous period.
    """

    title: Line
    sql: Sql
    previous: Sql | None = None
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=6)] = 0
    better: Better = "up"
    include_partial: bool = False
    """Whether it shows the number of a period of which data is missing."""
    requires: PartRequires | None = None


class ChartDefinition(_StrictModel):
    """A chart of a query: its first column has the labels, each other one is a series."""

    title: Line
    sql: Sql
    kind: ChartKind = "bar"
    unit: str = ""
    requires: PartRequires | None = None


class Report(_StrictModel):
    """One report, from the file or a payload. Durations are written ``30s``, ``10m``."""

    name: Line
    title: Line | None = None
    description: str | None = None
    schedule: Schedule = "manual"
    cron: Cron | None = None
    at: TimesOfDay = []
    weekdays: Weekdays | None = None
    timezone: Timezone = "UTC"
    period: PeriodName | None = None
    format: Annotated[
        list[Annotated[str, AfterValidator(_canonical_format)]],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1),
    ] = ["csv"]
    sql: Sql | None = None
    columns: dict[str, ColumnOptions] = {}
    """What readers see of the columns of ``sql``, by name; each of ``queries`` has its own."""
    queries: list[TableDefinition] = []
    parameters: Parameters = {}
    recipients: Annotated[Recipients, BeforeValidator(_recipients)] = Recipients()
    owner: Address | None = None
    for_each: ForEach | None = None
    only_if: Literal["rows", "no_rows", "changed"] | None = None
    after: After | None = None
    requires: Requires | None = None
    promise: Promise | None = None
    include_partial: bool = False
    """Whether tiles, charts and tables show a period of which data is missing as any other."""
    tiles: list[TileDefinition] = []
    charts: list[ChartDefinition] = []
    notes: list[str] = []
    max_rows: Annotated[int, Field(ge=1)] | None = None
    page_rows: Annotated[int, Field(ge=1, le=5000)] = 100
    """Rows of each table on a page; other formats have all rows."""
    raw: bool = False
    bom: bool = False
    """Whether csv begins with a UTF-8 byte order mark, which Excel needs."""
    timeout: Duration = timedelta(minutes=10)
    reader: Line | None = None
    restatement: bool = True
    """Whether what it sent is compared with now, and its next run shows what is different."""
    catch_up: Annotated[int, Field(ge=0, le=31)] = 3
    """Maximum number of missed periods that are caught up."""
    enabled: bool = True

    @property
    def heading(self) -> str:
        """The title, or the name."""
        return self.title or self.name

    @property
    def has_own_times(self) -> bool:
        """Whether it is due by its cron or at its times of day, not with a schedule of a deployment."""
        return bool(self.cron or self.at)

    @property
    def tables(self) -> list[TableDefinition]:
        """All queries; ``sql`` is one of them with the report's title."""
        return self.queries or [
            TableDefinition(title=self.heading, sql=self.sql or "", columns=self.columns)
        ]

    def to_json(self) -> str:
        """Return the definition as JSON text, without defaults."""
        return self.model_dump_json(exclude_none=True, exclude_defaults=True)
