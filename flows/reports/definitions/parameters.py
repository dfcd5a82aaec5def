"""Constants that the SQL of a report uses by name, with their types.

Reads nothing, writes nothing.
"""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict


class Parameter(BaseModel):
    """A value that the SQL uses as ``:name``, and its type in PostgreSQL."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    type: Literal["text", "integer", "number", "boolean", "date", "timestamp", "list"]
    value: Any

    @property
    def driver_value(self) -> Any:
        """The value as it is passed to the database driver."""
        if isinstance(self.value, str) and self.type in {"date", "timestamp"}:
            python_type = date if self.type == "date" else datetime
            return python_type.fromisoformat(self.value)
        return self.value


_YAML_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (datetime, "timestamp"),
    (date, "date"),
    (list, "list"),
    (str, "text"),
)
_ACCEPTED_TYPES: Mapping[str, tuple[type, ...]] = {
    "text": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "date": (date, str),
    "timestamp": (datetime, date, str),
    "list": (list,),
}


def parameter_fields(value: object) -> object:
    """Expand a plain value to ``{type: …, value: …}``, with the type that YAML gave it."""
    if isinstance(value, Parameter):
        return value
    fields = cast("dict[str, Any]", value) if isinstance(value, dict) else None
    if fields is None:
        name = next((name for known, name in _YAML_TYPES if isinstance(value, known)), None)
        if name is None:
            raise ValueError(
                f"{value!r} is not a valid value; expected a text, number, date or list"
            )
        fields = {"type": name, "value": value}
    _check_value(fields)
    content = fields.get("value")
    return {**fields, "value": content.isoformat()} if isinstance(content, date) else fields


def _check_value(fields: Mapping[str, Any]) -> None:
    name, value = str(fields.get("type")), fields.get("value")
    if name not in _ACCEPTED_TYPES:
        return  # the model lists the known types
    valid = isinstance(value, _ACCEPTED_TYPES[name])
    if isinstance(value, bool) and name != "boolean":
        valid = False
    if valid and isinstance(value, str) and name in {"date", "timestamp"}:
        try:
            (date if name == "date" else datetime).fromisoformat(value)
        except ValueError:
            valid = False
    if not valid:
        raise ValueError(f"{value!r} is not a valid {name}")
