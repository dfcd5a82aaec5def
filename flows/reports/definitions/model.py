"""What a report is: the model of definitions/reports.yml and of reports that arrive as data.

Reads nothing, writes nothing. The model checks each field by itself; `problems` in
``_report_checks`` checks how they go together, once, before a report is stored or made.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Literal, cast
from zoneinfo import ZoneInfo

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)

from analytics_worker.definitions.durations import Duration
from analytics_worker.definitions.text_types import Address, ChannelName, Line
from flows.reports.formats import Better, ChartKind, FormatError, format_named
from flows.reports.scheduling.periods import ScheduleType

Schedule = Literal[ScheduleType, "manual"]
LONGEST_SQL = 100_000

Sql = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_SQL)]
Addresses = Annotated[
    list[Address], BeforeValidator(lambda value: [value] if isinstance(value, str) else value)
]


def _known_format(name: str) -> str:
    try:
        return format_named(name).name
    except FormatError as error:
        raise ValueError(str(error)) from None


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no IANA time zone, such as Europe/Paris or UTC") from None
    return name


def _time_of_day(value: object) -> object:
    """``09:30``; YAML reads an unquoted one as a number of minutes."""
    if isinstance(value, str):
        try:
            return time.fromisoformat(value)
        except ValueError:
            pass
    if isinstance(value, time):
        return value
    raise ValueError(f'{value!r} is no time of day; write it in quotes: "09:30"')


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Recipients(_Strict):
    """Who gets the report; those in bcc are named to nobody."""

    to: Addresses = []
    cc: Addresses = []
    bcc: Addresses = []
    channels: list[ChannelName] = []
    """``email``, ``webhook``, ``slack``, or names of blocks: whoever they lead to."""


def _recipients(value: object) -> object:
    """``ann@example.com, bob@example.com`` and a list are short for ``to: […]``."""
    if isinstance(value, str):
        return {"to": [address.strip() for address in value.split(",") if address.strip()]}
    return {"to": value} if isinstance(value, list) else value


class Parameter(_Strict):
    """A value that the SQL uses as ``:name``, and what it is to PostgreSQL."""

    type: Literal["text", "integer", "number", "boolean", "date", "timestamp", "list"]
    value: Any

    @property
    def bound(self) -> Any:
        """As the driver takes it."""
        if isinstance(self.value, str) and self.type in {"date", "timestamp"}:
            kind = date if self.type == "date" else datetime
            return kind.fromisoformat(self.value)
        return self.value


_PLAIN: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (datetime, "timestamp"),
    (date, "date"),
    (list, "list"),
    (str, "text"),
)
_ACCEPTED: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (date, str),
    "timestamp": (datetime, date, str),
    "list": (list,),
}


def _parameter(value: object) -> object:
    """A plain value has the type that YAML gave it; ``{type: date, value: …}`` says it."""
    if isinstance(value, Parameter):
        return value
    given = cast("dict[str, Any]", value) if isinstance(value, dict) else None
    if given is None:
        kind = next((name for known, name in _PLAIN if isinstance(value, known)), None)
        if kind is None:
            raise ValueError(f"{value!r} can't be bound; write a text, number, date or list")
        given = {"type": kind, "value": value}
    _check_value(given)
    shown = given.get("value")
    return {**given, "value": shown.isoformat()} if isinstance(shown, date) else given


def _check_value(given: Mapping[str, Any]) -> None:
    kind, value = str(given.get("type")), given.get("value")
    if kind not in _ACCEPTED:
        return  # the model lists the known types
    fits = isinstance(value, _ACCEPTED[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if fits and isinstance(value, str) and kind in {"date", "timestamp"}:
        try:
            (date if kind == "date" else datetime).fromisoformat(value)
        except ValueError:
            fits = False
    if not fits:
        raise ValueError(f"{value!r} is no {kind}")


class Query(_Strict):
    """One table of a report."""

    title: Line
    sql: Sql


class ForEach(_Strict):
    """One report per row of a query; its columns may be used as parameters."""

    sql: Sql
    key: Line
    to: Line | None = None
    """Column with the address (or addresses, separated by commas) that this row's report goes to."""


class After(_Strict):
    """What must have happened since the period ended before the report may be made."""

    dbt: Literal["run"] | None = None
    views: list[Line] = []
    latest: Annotated[time, BeforeValidator(_time_of_day)]
    otherwise: Literal["deliver", "tell"] = "deliver"


class Tile(_Strict):
    """A number at the top of the page, and what it is compared with.

    Without ``previous``, SQL that uses the period is asked again for the period before.
    """

    title: Line
    sql: Sql
    previous: Sql | None = None
    unit: str = ""
    decimals: Annotated[int, Field(ge=0, le=6)] = 0
    better: Better = "up"


class Chart(_Strict):
    """A picture of a query: its first column along the bottom, a line or bar for each other one."""

    title: Line
    sql: Sql
    kind: ChartKind = "bar"
    unit: str = ""


class Report(_Strict):
    """One report, whichever way it arrived. Lengths of time are written ``30s``, ``10m``."""

    name: Line
    title: Line | None = None
    description: str | None = None
    schedule: Schedule = "manual"
    timezone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    format: Annotated[
        list[Annotated[str, AfterValidator(_known_format)]],
        BeforeValidator(lambda value: [value] if isinstance(value, str) else value),
        Field(min_length=1),
    ] = ["csv"]
    sql: Sql | None = None
    queries: list[Query] = []
    parameters: dict[str, Annotated[Parameter, BeforeValidator(_parameter)]] = {}
    recipients: Annotated[Recipients, BeforeValidator(_recipients)] = Recipients()
    owner: Address | None = None
    for_each: ForEach | None = None
    only_if: Literal["rows", "no_rows", "changed"] | None = None
    after: After | None = None
    tiles: list[Tile] = []
    charts: list[Chart] = []
    notes: list[str] = []
    max_rows: Annotated[int, Field(ge=1)] | None = None
    page_rows: Annotated[int, Field(ge=1, le=5000)] = 100
    """Rows of each table on a page; csv and xlsx have all of them."""
    raw: bool = False
    bom: bool = False
    """Whether csv begins with the mark by which Excel knows UTF-8."""
    timeout: Duration = timedelta(minutes=10)
    reader: Line | None = None
    catch_up: Annotated[int, Field(ge=0, le=31)] = 3
    """Missed periods that are made up for."""
    enabled: bool = True

    @property
    def heading(self) -> str:
        """What people read."""
        return self.title or self.name

    @property
    def tables(self) -> list[Query]:
        """All its queries."""
        return self.queries or [Query(title=self.heading, sql=self.sql or "")]

    def stored(self) -> str:
        """The report as JSON text, without what was left out."""
        return self.model_dump_json(exclude_none=True, exclude_defaults=True)
