"""Define the contract of a relation, as definitions/trust.yml has it.

Reads nothing, writes nothing.
"""

from datetime import date, datetime
from decimal import Decimal
from math import isfinite
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from analytics_worker.definitions.text_types import Line, matching

Value = str | int | float | bool | date | datetime
TypeName = Annotated[
    str,
    matching(
        r'[A-Za-z_"][\w ."]{0,100}(?:\( ?\d+ ?(?:, ?-?\d+ ?)?\))?[\w ]{0,30}(?:\[\])*',
        "is not a type; expected one as PostgreSQL writes it, such as integer or numeric(12,2)",
    ),
]


class ColumnContract(BaseModel):
    """What is promised of a column; that it exists, in any case."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: TypeName | None = None
    not_null: bool = False
    unique: bool = False
    min: Value | None = None
    max: Value | None = None
    accepted: Annotated[list[Value], Field(min_length=1, max_length=1000)] | None = None


def _full(value: object) -> object:
    return {} if value is None else {"type": value} if isinstance(value, str) else value


Column = Annotated[ColumnContract, BeforeValidator(_full)]


class Contract(BaseModel):
    """What is promised of a relation."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    columns: dict[Line, Column] = {}
    unique: list[Annotated[list[Line], Field(min_length=1, max_length=32)]] = []
    """Keys of several columns."""
    severity: Literal["warning", "critical"] = "critical"
    owner: Line | None = None
    publish: Literal["checked"] | None = None
    """Of a materialized view: readers see its new content only if that keeps the contract."""

    @property
    def keys(self) -> list[list[str]]:
        """The keys, those of one column included."""
        own = [[name] for name, column in self.columns.items() if column.unique]
        return own + [key for key in self.unique if key not in own]

    @property
    def names(self) -> list[str]:
        """The columns that must exist."""
        return list(dict.fromkeys([*self.columns, *(name for key in self.unique for name in key)]))


def literal_text(value: Value) -> str:
    """Return a value as a literal of any type is written."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and isfinite(value):
        return format(Decimal(repr(value)), "f")
    return value.isoformat() if isinstance(value, date) else str(value)
