"""Define the model of a rule in definitions/alerts.yml, thresholds.yml and ops.alert_rules.

Reads nothing, writes nothing. The model validates each field. `find_problems` in ``validation``
checks combinations of fields, once, before a rule is stored.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, model_validator

from analytics_worker.calendars.schedules import PeriodName
from analytics_worker.database.reader_sessions import DEFAULT_ROW_CAP, DEFAULT_TIMEOUT
from analytics_worker.definitions.durations import Duration
from analytics_worker.definitions.text_types import Address, ChannelName, Line
from analytics_worker.presentation.numbers import MAX_DECIMALS, Unit
from flows.alerts.rules.bounds import Bound
from flows.alerts.rules.model_expected import Expected
from flows.alerts.rules.model_times import RuleTimes, StrictModel

Severity = Literal["warning", "critical"]
Kind = Literal["alert", "threshold", "event"]
Operator = Literal[">", "<", ">=", "<=", "==", "!=", "between", "outside"]
Reduce = Literal["first", "min", "max", "sum", "count"]
Measure = Literal["value", "rows", "change", "change_percent"]
MissingKey = Literal["resolve", "no_data", "keep"]
Format = Literal["number", "percent", "duration"]
RulePeriodName = Literal["hour", PeriodName]

SEVERITY_RANK: dict[Severity | None, int] = {None: 0, "warning": 1, "critical": 2}


def highest_severity(severities: Iterable[Severity | None]) -> Severity | None:
    """Return the highest severity; None if there is none."""
    return max(severities, key=SEVERITY_RANK.__getitem__, default=None)


DEFAULT_EVERY: dict[Kind, timedelta] = {
    "alert": timedelta(minutes=2),
    "threshold": timedelta(minutes=5),
    "event": timedelta(minutes=2),
}

DEFAULT_NO_DATA_PERIOD = timedelta(hours=1)

_OPERATOR_ALIASES = {
    "gt": ">", "greater_than": ">", "above": ">",
    "lt": "<", "less_than": "<", "below": "<",
    "gte": ">=", "ge": ">=", "greater_than_or_equal": ">=", "greater_or_equal": ">=",
    "lte": "<=", "le": "<=", "less_than_or_equal": "<=", "less_or_equal": "<=",
    "eq": "==", "=": "==", "equals": "==", "equal": "==",
    "ne": "!=", "<>": "!=", "not_equals": "!=", "not_equal": "!=",
}  # fmt: skip


def _normalize_operator(value: object) -> object:
    """Return the operator of an alias; the rules of the Celery worker used names."""
    return _OPERATOR_ALIASES.get(value.lower(), value) if isinstance(value, str) else value


def _expand_channel(value: object) -> object:
    """Expand the short forms ``webhook`` and ``email: [a@b.example]``."""
    if isinstance(value, str):
        if "@" in value:
            raise ValueError(f"write {{email: [{value}]}}")
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        ((name, to),) = value.items()
        return {"name": name, "to": [to] if isinstance(to, str) else to}
    return value


def _listed(value: object) -> object:
    """Accept one name in place of a list of names."""
    names: object = [value] if isinstance(value, str) else value
    if not isinstance(names, list):
        raise ValueError(  # noqa: TRY004  # pydantic reports it
            f"{value!r:.60} is not valid; expected the name of a rule in quotes, or a list of names"
        )
    return cast("list[object]", names)


class Channel(StrictModel):
    """A channel of a rule: the name of a Prefect block, or ``email``, ``webhook``, ``slack``."""

    name: ChannelName
    to: list[Address] = Field(default_factory=list[Address])


class Template(StrictModel):
    """Texts of one rule, in Jinja; the standard texts replace those that are missing."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


_STANDARD_TEMPLATE = Template()


class Rule(RuleTimes):
    """One rule, from a file or an event. Durations are written ``30s``, ``10m``, ``1d``."""

    name: Line
    was: Line | None = None
    description: str | None = None
    sql: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])
    value: str | None = None
    reduce: Reduce | None = None
    key_columns: list[str] = Field(default_factory=list[str])
    measure: Measure = "value"
    compare_to: Literal["previous"] | Duration = "previous"
    operator: Annotated[Operator, BeforeValidator(_normalize_operator)]
    threshold: Bound | None = None
    severity: Severity = "critical"
    warning: Bound | None = None
    critical: Bound | None = None
    recovery: Bound | None = None
    expected: Expected | None = None
    pending_period: Duration = Field(default=timedelta(0), alias="for")
    keep_firing_for: Duration = timedelta(0)
    every: Duration = DEFAULT_EVERY["alert"]
    repeat_every: Duration | None = None
    no_data_after: Duration | None = None
    on_empty: Literal["ok", "no_data", "keep_last", "alert"] = "no_data"
    on_missing_key: MissingKey | None = None
    on_error: Literal["error", "keep_last", "alert"] = "error"
    flapping_after: Annotated[int, Field(ge=2)] | None = 6
    unit: Unit = ""
    format: Format = "number"
    """``percent`` of values that are shares of one, ``duration`` of seconds."""
    decimals: Annotated[int, Field(ge=0, le=MAX_DECIMALS)] | None = None
    runbook: str | None = None
    """What to do: an address (http, https) or a text."""
    owner: str | None = None
    channels: list[Annotated[Channel, BeforeValidator(_expand_channel)]] | None = None
    group_by: list[str] = Field(default_factory=list[str])
    period: RulePeriodName | None = None
    """The last one that is over is what the SQL reads, by ``:period_start`` and ``:period_end``."""
    include_partial: bool = False
    """Whether it is evaluated although data of its period is missing."""
    depends_on: Annotated[list[Line], BeforeValidator(_listed)] = Field(default_factory=list[Line])
    template: Template = _STANDARD_TEMPLATE
    timeout: Duration = DEFAULT_TIMEOUT
    row_cap: Annotated[int, Field(ge=1, le=10_000)] = DEFAULT_ROW_CAP
    reader: Line | None = None
    muted: bool = False
    enabled: bool = True

    @model_validator(mode="before")
    @classmethod
    def _default_operator(cls, content: object) -> object:
        """Take any deviation from what is expected, without an operator."""
        if isinstance(content, dict) and "expected" in content:
            return {"operator": "outside", **cast("dict[str, object]", content)}
        return cast("object", content)

    @property
    def bounds(self) -> dict[Severity, Bound]:
        """The bound of each severity, the highest severity first."""
        if self.threshold is not None:
            return {self.severity: self.threshold}
        by_severity: dict[Severity, Bound | None] = {
            "critical": self.critical,
            "warning": self.warning,
        }
        return {severity: bound for severity, bound in by_severity.items() if bound is not None}

    @property
    def bound_values(self) -> list[Decimal]:
        """The numbers of all bounds."""
        bounds = self.bounds.values()
        return [n for bound in bounds for n in (bound if isinstance(bound, list) else [bound])]

    @property
    def no_data_period(self) -> timedelta:
        """How long data may be missing; a rule with times of its own reports it when it is due."""
        if self.no_data_after is not None:
            return self.no_data_after
        return timedelta(0) if self.has_own_times else DEFAULT_NO_DATA_PERIOD

    @property
    def is_count(self) -> bool:
        """Whether the value is a number of rows, which is 0 without any."""
        return self.measure == "rows" or self.reduce == "count"

    @property
    def _severities(self) -> Sequence[Severity]:
        """The severities that have a bound, the highest first."""
        if self.expected and isinstance(self.expected.sensitivity, dict):
            return list(self.expected.sensitivity)
        return list(self.bounds)

    @property
    def highest_severity(self) -> Severity:
        """The severity of an alert without a value to classify."""
        for severity in self._severities:
            return severity
        return self.severity

    @property
    def lowest_severity(self) -> Severity:
        """The severity of the bound that is reached first."""
        for severity in reversed(self._severities):
            return severity
        return self.severity

    def to_json(self) -> str:
        """Return the rule as JSON, without default values."""
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)
