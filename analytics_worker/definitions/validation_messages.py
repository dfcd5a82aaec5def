"""Turn pydantic's errors about a definition into messages that name the field and what is expected.

Reads nothing, writes nothing.
"""

import difflib
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

Location = tuple[str | int, ...]

_MESSAGES = {
    "string_type": "is not text; expected text in quotes",
    "list_type": "is not a list; expected [{input}]",
    "bool_type": "is not a boolean; expected true or false",
    "dict_type": "is not a mapping; expected `key: value` below it",
    "model_type": "is not a mapping; expected `key: value` below it",
    "int_type": "is not a whole number; expected digits without quotes",
    "float_type": "is not a number; expected a number without quotes",
    "greater_than_equal": "is too small; expected {ge} or more",
    "less_than_equal": "is too large; expected {le} or less",
}


def field_location(loc: Location) -> Location:
    """Return pydantic's location without the names of validators and union members."""
    return tuple(part for part in loc if isinstance(part, int) or part.isidentifier())


def validation_message(model: type[BaseModel], item: Mapping[str, Any]) -> str:
    """Return what is wrong with one field, and what is expected."""
    loc = field_location(item["loc"])
    name = ".".join(map(str, loc)) or "entry"
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, loc[:-1])
        return f"unknown key {str(loc[-1])!r}{did_you_mean(str(loc[-1]), known)}"
    if item["type"] == "missing":
        return f"{name} is missing{_choices(model, loc)}"
    if item["type"] in {"literal_error", "enum"}:
        allowed = item["ctx"]["expected"]
        return f"{name}: {item['input']!r} is not valid; expected {allowed}{_quote(item)}"
    if item["type"] in _MESSAGES:
        message = _MESSAGES[item["type"]].format(input=item["input"], **item.get("ctx", {}))
        return f"{name}: {item['input']!r:.60} {message}"
    return f"{name}: {item['msg'].removeprefix('Value error, ')}{_quote(item)}"


def _choices(model: type[BaseModel], loc: Location) -> str:
    """Return the choices for a missing key, if its type is a choice."""
    field = model.model_fields.get(str(loc[-1])) if len(loc) == 1 else None
    choices = get_args(field.annotation) if field else ()
    return f"; expected one of {', '.join(map(repr, choices))}" if choices else ""


def _quote(item: Mapping[str, Any]) -> str:
    """Return a hint for ``operator: >``, which is a YAML block scalar and arrives as an empty text."""
    return ' (quote it: ">")' if item["input"] == "" else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` if a known name is similar, else the list of known names."""
    choices = sorted(known)
    close = difflib.get_close_matches(name, choices, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; expected one of {', '.join(choices)}" if choices else ""


def _fields_at(model: type[BaseModel], loc: Location) -> list[str]:
    """Return the keys that a nested part may have."""
    parts = iter(loc)
    for part in parts:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part)
        nested = _model_in(field.annotation) if field else None
        if field is None or nested is None:
            return []
        model = nested
        if get_origin(field.annotation) is dict:
            next(parts, None)  # a key of the author's
    return [item.alias or name for name, item in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the model in an annotation such as ``list[Channel] | None`` or ``dict[str, Column]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {list, tuple, dict, Union, UnionType}:
        models = map(_model_in, get_args(annotation))
        return next((model for model in models if model), None)
    return None
