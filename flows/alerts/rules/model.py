"""What a rule is: the model of definitions/alerts.yml, thresholds.yml and of rules in the database.

Reads nothing, writes nothing. The model checks each field by itself; `problems` in
``validation`` checks how they go together, once, before a rule is stored.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Annotated, Any, Literal, cast

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from analytics_worker.database.reader_sessions import DEFAULT_ROW_CAP, DEFAULT_TIMEOUT
from analytics_worker.definitions.durations import Duration
from analytics_worker.definitions.text_types import Address, ChannelName, Line

Severity = Literal["warning", "critical"]
Kind = Literal["alert", "threshold", "event"]
Operator = Literal[">", "<", ">=", "<=", "==", "!=", "between"]
Reduce = Literal["first", "min", "max", "sum", "count"]
Measure = Literal["value", "rows", "change", "change_percent"]

RANK: dict[Severity | None, int] = {None: 0, "warning": 1, "critical": 2}


def highest(severities: Iterable[Severity | None]) -> Severity | None:
    """The gravest of some severities; None if there is none."""
    found: Severity | None = None
    for severity in severities:
        found = severity if RANK[severity] > RANK[found] else found
    return found


EVERY: dict[Kind, timedelta] = {
    "alert": timedelta(minutes=2),
    "threshold": timedelta(minutes=5),
    "event": timedelta(minutes=2),
}

_SPOKEN_OPERATORS = {
    "gt": ">", "greater_than": ">", "above": ">",
    "lt": "<", "less_than": "<", "below": "<",
    "gte": ">=", "ge": ">=", "greater_than_or_equal": ">=", "greater_or_equal": ">=",
    "lte": "<=", "le": "<=", "less_than_or_equal": "<=", "less_or_equal": "<=",
    "eq": "==", "=": "==", "equals": "==", "equal": "==",
    "ne": "!=", "<>": "!=", "not_equals": "!=", "not_equal": "!=",
}  # fmt: skip


def _spoken(value: object) -> object:
    """Operators may be spelled out, as the rules of the Celery worker did."""
    return _SPOKEN_OPERATORS.get(value.lower(), value) if isinstance(value, str) else value


def _channel(value: object) -> object:
    """``webhook`` and ``email: [a@b.example]`` are short for the full form."""
    if isinstance(value, str):
        if "@" in value:
            raise ValueError(f"write {{email: [{value}]}}")
        return {"name": value}
    if isinstance(value, dict) and len(value) == 1 and "name" not in value:
        ((name, to),) = value.items()
        return {"name": name, "to": [to] if isinstance(to, str) else to}
    return value


def _bound(value: object) -> object:
    """One number, or two for ``between``; both spelled as numbers."""
    numbers = cast("list[object]", value) if isinstance(value, list) else [value]
    plain = all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers)
    if not plain or (isinstance(value, list) and len(numbers) != 2):  # noqa: PLR2004
        raise ValueError(f"{value!r:.60} is no bound; write 5, or [1, 5] with operator between")
    return value


Bound = Annotated[float | list[float], BeforeValidator(_bound)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Channel(_Strict):
    """A way to reach people: a Prefect block's name, or ``email``, ``webhook``, ``slack``."""

    name: ChannelName
    to: list[Address] = Field(default_factory=list[Address])


class Template(_Strict):
    """Texts of a rule's own, in Jinja; what is missing is taken from the standard ones."""

    subject: str | None = None
    text: str | None = None
    html: str | None = None


_STANDARD = Template()


class Rule(_Strict):
    """One rule, whichever way it arrived. Lengths of time are written ``30s``, ``10m``, ``1d``."""

    name: Line
    description: str | None = None
    sql: str | None = None
    parameters: dict[str, Any] = Field(default_factory=dict[str, Any])
    value: str | None = None
    reduce: Reduce | None = None
    key_columns: list[str] = Field(default_factory=list[str])
    measure: Measure = "value"
    compare_to: Literal["previous"] | Duration = "previous"
    operator: Annotated[Operator, BeforeValidator(_spoken)]
    threshold: Bound | None = None
    severity: Severity = "critical"
    warning: Bound | None = None
    critical: Bound | None = None
    recovery: Bound | None = None
    wait: Duration = Field(default=timedelta(0), alias="for")
    every: Duration = EVERY["alert"]
    repeat_every: Duration | None = None
    no_data_after: Duration = timedelta(hours=1)
    on_empty: Literal["ok", "no_data", "keep_last", "alert"] = "no_data"
    on_error: Literal["error", "keep_last", "alert"] = "error"
    flapping_after: Annotated[int, Field(ge=2)] | None = 6
    owner: str | None = None
    channels: list[Annotated[Channel, BeforeValidator(_channel)]] | None = None
    group_by: list[str] = Field(default_factory=list[str])
    template: Template = _STANDARD
    timeout: Duration = DEFAULT_TIMEOUT
    row_cap: Annotated[int, Field(ge=1, le=10_000)] = DEFAULT_ROW_CAP
    reader: Line | None = None
    muted: bool = False
    enabled: bool = True

    @property
    def bounds(self) -> dict[Severity, Bound]:
        """The condition of each severity, the highest first."""
        if self.threshold is not None:
            return {self.severity: self.threshold}
        both: dict[Severity, Bound | None] = {"critical": self.critical, "warning": self.warning}
        return {severity: bound for severity, bound in both.items() if bound is not None}

    @property
    def highest(self) -> Severity:
        """The severity of an alert that has no value to judge."""
        for severity in self.bounds:
            return severity
        return self.severity

    def stored(self) -> str:
        """The rule as JSON text, without what was left out."""
        return self.model_dump_json(by_alias=True, exclude_none=True, exclude_defaults=True)
