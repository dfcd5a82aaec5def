"""Define the filters and tests of user templates: an allow list, each with bounded arguments.

Reads and writes nothing. Filters that turn a value into markup, such as ``safe``, are excluded: markup
belongs in the template, values are text.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Any

from jinja2 import filters as jinja
from jinja2 import pass_eval_context
from jinja2.nodes import EvalContext
from jinja2.tests import TESTS
from markupsafe import escape

from analytics_worker.user_templates.budget import check_value, reserve, step
from analytics_worker.user_templates.values import UserTemplateError, number_text

MAX_ROW = 1000
MAX_INDENT = 8
MAX_DECIMALS = 15

MARKUP = frozenset({"safe", "striptags", "forceescape", "xmlattr", "urlize"})
"""Filters of Jinja that create or remove markup in values."""

_UNCHANGED_FILTERS = (
    "abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "items",
    "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse",
    "select", "selectattr", "sort", "string", "title", "trim", "truncate", "unique", "upper",
    "urlencode", "wordcount",
)  # fmt: skip
_TESTS = (
    "boolean", "defined", "divisibleby", "eq", "equalto", "even", "false", "float", "ge", "gt",
    "greaterthan", "in", "integer", "iterable", "le", "lessthan", "lower", "lt", "mapping", "ne",
    "none", "number", "odd", "sameas", "sequence", "string", "true", "undefined", "upper",
    "==", "!=", ">", ">=", "<", "<=",
)  # fmt: skip


def check_bound(number: Any, maximum: int, argument: str) -> Any:
    """Return a number from a template that is within a bound.

    Raises:
        UserTemplateError: it is not a whole number, or out of bounds.
    """
    if not isinstance(number, int) or not -maximum <= number <= maximum:
        raise UserTemplateError(
            f"template: {argument} is not a whole number of at most {maximum:,}"
        )
    return number


def _batch(value: Any, linecount: Any, fill_with: Any = None) -> Any:
    return jinja.do_batch(value, check_bound(linecount, MAX_ROW, "batch"), fill_with)


def _slice(value: Any, slices: Any, fill_with: Any = None) -> Any:
    return jinja.sync_do_slice(value, check_bound(slices, MAX_ROW, "slice"), fill_with)


@pass_eval_context
def _tojson(context: EvalContext, value: Any, indent: Any = None) -> Any:
    width = None if indent is None else check_bound(indent, MAX_INDENT, "tojson(indent=…)")
    return jinja.do_tojson(context, value, width)


def _round(value: Any, precision: Any = 0, method: Any = "common") -> Any:
    return jinja.do_round(value, check_bound(precision, MAX_DECIMALS, "round"), method)


def _int(value: Any, default: Any = 0, base: Any = 10) -> Any:
    return jinja.do_int(value, default, check_bound(base, 36, "int(base=…)"))


@pass_eval_context
def _sum(context: EvalContext, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    if attribute is not None:
        value = map(jinja.make_attrgetter(context.environment, attribute), value)
    return sum(map(_number, value), _number(start))


def _number(value: Any) -> Any:
    if isinstance(value, int | float):
        return value
    raise UserTemplateError("template: sum adds numbers only")


@pass_eval_context
def _replace(context: EvalContext, s: Any, old: Any, new: Any, count: Any = None) -> Any:
    reserve_replaced(str(s), str(old), str(new))
    return jinja.do_replace(context, s, old, new, count)


def reserve_replaced(text: str, old: str, new: str) -> None:
    """Refuse a replacement whose result would be too long."""
    reserve(len(text) + text.count(old) * len(new))


@pass_eval_context
def _join(context: EvalContext, value: Any, d: Any = "", attribute: Any = None) -> Any:
    parts = list(value)
    reserve_joined(parts, str(d))
    return jinja.sync_do_join(context, parts, d, attribute)


def reserve_joined(parts: Iterable[Any], separator: str) -> None:
    """Refuse a joined text that would be too long."""
    reserve(sum(len(separator) + (len(p) if isinstance(p, str) else 1) for p in parts))


@pass_eval_context
def _escape(context: EvalContext, value: Any) -> Any:
    """Escape in a text; in HTML every value is escaped anyway."""
    return value if context.autoescape else str(escape(value))


_BOUNDED: dict[str, Callable[..., Any]] = {
    "batch": _batch,
    "slice": _slice,
    "tojson": _tojson,
    "round": _round,
    "int": _int,
    "sum": _sum,
    "replace": _replace,
    "join": _join,
    "e": _escape,
    "escape": _escape,
    "number": number_text,
}


def count_calls(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that counts each call and checks its result."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        step()
        return check_value(function(*args, **kwargs))

    return call


def filters() -> dict[str, Callable[..., Any]]:
    """Return every filter that a template may use, by name."""
    plain = {name: jinja.FILTERS[name] for name in _UNCHANGED_FILTERS}
    return {name: count_calls(function) for name, function in (plain | _BOUNDED).items()}


def tests() -> dict[str, Callable[..., Any]]:
    """Return every test that a template may use, by name."""
    return {name: count_calls(TESTS[name]) for name in _TESTS}
