"""Define the attributes and methods that a user template may use: an allow list by type.

Reads and writes nothing. A method is returned as a :class:`TemplateFunction`, whose arguments are
bounded and whose result is checked. Python's own bound methods never reach a template.
"""

import re
import string
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from jinja2.filters import _GroupTuple  # pyright: ignore[reportPrivateUsage]  # what groupby gives
from jinja2.runtime import LoopContext

from analytics_worker.user_templates.budget import TemplateFunction, reserve
from analytics_worker.user_templates.filters import count_calls, reserve_joined, reserve_replaced
from analytics_worker.user_templates.values import UserTemplateError

_TEXT = frozenset({
    "capitalize", "casefold", "count", "endswith", "find", "format", "index", "isalnum", "isalpha",
    "isdecimal", "isdigit", "islower", "isnumeric", "isspace", "istitle", "isupper", "join", "lower",
    "lstrip", "partition", "removeprefix", "removesuffix", "replace", "rfind", "rindex",
    "rpartition", "rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "swapcase",
    "title", "upper",
})  # fmt: skip
_METHODS: tuple[tuple[type, frozenset[str]], ...] = (
    (str, _TEXT),
    (dict, frozenset({"get", "items", "keys", "values"})),
    (list, frozenset({"count", "index"})),
    (tuple, frozenset({"count", "index"})),
    (float, frozenset({"is_integer"})),
    (LoopContext, frozenset({"cycle", "changed"})),
)
_FIELDS: tuple[tuple[type, frozenset[str]], ...] = (
    (_GroupTuple, frozenset({"grouper", "list"})),
    (LoopContext, frozenset({
        "depth", "depth0", "first", "index", "index0", "last", "length", "nextitem", "previtem",
        "revindex", "revindex0",
    })),
)  # fmt: skip
_SPECIFICATION = re.compile(r"([^{}]?[<>=^])?[-+ ]?z?#?0?\d{0,2}[,_]?(\.\d{1,2})?[a-zA-Z%]?")


def attribute(value: Any, name: str) -> Any:
    """Return ``value.name`` for a template.

    Raises:
        LookupError: the attribute does not exist, or templates may not use it.
    """
    methods, fields = _names(type(value))
    if name in methods:
        return TemplateFunction(name, count_calls(_method(value, name)))
    if name in fields:
        return getattr(value, name)
    raise LookupError(name)


@lru_cache
def _names(kind: type) -> tuple[frozenset[str], frozenset[str]]:
    """Return the allowed methods and fields of a type."""
    methods = [names for base, names in _METHODS if issubclass(kind, base)]
    fields = [names for base, names in _FIELDS if issubclass(kind, base)]
    return frozenset[str]().union(*methods), frozenset[str]().union(*fields)


def _method(value: Any, name: str) -> Callable[..., Any]:
    bounded = _BOUNDED.get(name) if isinstance(value, str) else None
    return partial(bounded, value) if bounded else getattr(value, name)


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    reserve_replaced(text, old, new)
    return text.replace(old, new, count)


def _join(text: str, parts: Any) -> str:
    items = list(parts)
    reserve_joined(items, text)
    return text.join(items)


def _format(text: str, *args: Any, **kwargs: Any) -> str:
    """Format texts and numbers (``"{:,.1f}".format(x)``) by fields without attributes and wide paddings."""
    for _, field, specification, _ in string.Formatter().parse(str(text)):
        _check_field(field or "", specification or "")
    values = [*args, *kwargs.values()]
    if not all(value is None or isinstance(value, str | int | float) for value in values):
        raise UserTemplateError("template: format takes texts and numbers only")
    reserve(text.count("{") * sum(len(value) if isinstance(value, str) else 1 for value in values))
    return str(text).format(*args, **kwargs)


def _check_field(field: str, specification: str) -> None:
    if not re.fullmatch(r"\w*", field) or not _SPECIFICATION.fullmatch(specification):
        field_text = f"{{{field}:{specification}}}"
        raise UserTemplateError(
            f"template: {field_text[:40]!r} is not a valid field of a format;"
            " expected one such as {}, {0}, {name}, {:,.1f} or {:>10}"
        )


_BOUNDED: dict[str, Callable[..., Any]] = {"replace": _replace, "join": _join, "format": _format}
