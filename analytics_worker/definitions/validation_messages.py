"""What is wrong with a field of a definition, and what to write instead: pydantic's errors in words.

Reads nothing, writes nothing.
"""

import difflib
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

Place = tuple[str | int, ...]

_SENTENCES = {
    "string_type": "is no text; put it in quotes",
    "list_type": "is no list; write [{input}]",
    "bool_type": "is neither true nor false",
    "dict_type": "is no mapping; write `key: value` below it",
    "model_type": "is no mapping; write `key: value` below it",
    "int_type": "is no whole number",
    "float_type": "is no number; write it without quotes",
    "greater_than_equal": "is too small; write {ge} or more",
    "less_than_equal": "is too large; write {le} or less",
}


def plain(loc: Place) -> Place:
    """Pydantic's location without the names of validators and union members."""
    return tuple(part for part in loc if isinstance(part, int) or part.isidentifier())


def sentence(model: type[BaseModel], item: Mapping[str, Any]) -> str:
    """What is wrong with one field, and what to write instead."""
    loc = plain(item["loc"])
    name = ".".join(map(str, loc)) or "entry"
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, loc[:-1])
        return f"unknown key {str(loc[-1])!r}{instead(str(loc[-1]), known)}"
    if item["type"] == "missing":
        return f"{name} is missing{_choices(model, loc)}"
    if item["type"] in {"literal_error", "enum"}:
        allowed = item["ctx"]["expected"]
        return f"{name}: {item['input']!r} is not allowed; write one of {allowed}{_quote(item)}"
    if item["type"] in _SENTENCES:
        said = _SENTENCES[item["type"]].format(input=item["input"], **item.get("ctx", {}))
        return f"{name}: {item['input']!r:.60} {said}"
    return f"{name}: {item['msg'].removeprefix('Value error, ')}{_quote(item)}"


def _choices(model: type[BaseModel], loc: Place) -> str:
    """What a missing key may be, if that is one of some words."""
    field = model.model_fields.get(str(loc[-1])) if len(loc) == 1 else None
    words = get_args(field.annotation) if field else ()
    return f"; write one of {', '.join(map(repr, words))}" if words else ""


def _quote(item: Mapping[str, Any]) -> str:
    """``operator: >`` is a YAML block scalar and arrives as an empty text."""
    return ' (quote it: ">")' if item["input"] == "" else ""


def instead(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for a word close to a known one, the known ones otherwise."""
    choices = sorted(known)
    close = difflib.get_close_matches(word, choices, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(choices)}" if choices else ""


def _fields_at(model: type[BaseModel], loc: Place) -> list[str]:
    """The keys that a nested part may have."""
    for part in loc:
        if isinstance(part, int):
            continue
        found = model.model_fields.get(part)
        nested = _model_in(found.annotation) if found else None
        if nested is None:
            return []
        model = nested
    return [item.alias or name for name, item in model.model_fields.items()]


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation such as ``list[Channel] | None`` mentions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in {list, tuple, Union, UnionType}:
        found = (_model_in(argument) for argument in get_args(annotation))
        return next((model for model in found if model), None)
    return None
