"""Jinja templates that users wrote: sandboxed, escaped in HTML, bounded in size.

Reads nothing but the template and its context; writes nothing. A template sees plain values only,
can change none of them, and can neither loop for ever nor grow without bound: there are no
variables to accumulate in, loops are few and short, and every intermediate text has a limit.
"""

import functools
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from toolkit.errors import PermanentError

LIMIT = 200_000
INTERMEDIATE_LIMIT = 10_000
LONGEST_SOURCE = 10_000
LONGEST_RANGE = 1000
MOST_LOOPS, DEEPEST_LOOPS = 10, 2

_STATEMENTS_OFF = (
    nodes.Assign,
    nodes.AssignBlock,
    nodes.Macro,
    nodes.CallBlock,
    nodes.Include,
    nodes.Import,
    nodes.FromImport,
    nodes.Extends,
    nodes.Block,
)
_METHODS_OFF = {"format", "format_map", "ljust", "rjust", "center", "zfill", "expandtabs"}
_FILTERS_OFF = ("format", "center", "indent", "wordwrap", "pprint", "xmlattr", "filesizeformat")
_GREATEST = 1e15


class UserTemplateError(PermanentError):
    """The template can't be rendered; says what is wrong and on which line."""


class _Sandbox(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Neither private attributes nor methods whose result can be of any size."""
        return attr not in _METHODS_OFF and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers, and joining texts; nothing that multiplies a text or a list."""
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or not (numbers or operator == "+"):
            raise SecurityError(f"{operator} works on numbers only")
        return _bounded(super().call_binop(context, operator, left, right))

    def call(self, context: Any, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a plain value, such as ``name.upper()``."""
        return _bounded(super().call(context, obj, *args, **kwargs))


def _bounded(value: Any) -> Any:
    if isinstance(value, str | list | tuple) and len(value) > INTERMEDIATE_LIMIT:
        raise SecurityError(f"an intermediate value is longer than {INTERMEDIATE_LIMIT:,}")
    return value


def _guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def bounded(*args: Any, **kwargs: Any) -> Any:
        return _bounded(function(*args, **kwargs))

    return bounded


def _short_range(*bounds: int) -> range:
    numbers = range(*bounds)
    if len(numbers) > LONGEST_RANGE:
        raise SecurityError(f"a range has at most {LONGEST_RANGE} numbers")
    return numbers


def number_text(value: float | None) -> str:
    """A number as people read it: ``1,234.5``, at most six digits behind the point."""
    if value is None:
        return "none"
    if not -_GREATEST < value < _GREATEST:
        return f"{value:g}"
    return f"{value:,.6f}".rstrip("0").rstrip(".")


@lru_cache
def _environment(*, html: bool) -> _Sandbox:
    made = _Sandbox(
        autoescape=html, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    made.globals.clear()
    made.globals.update({"range": _short_range})  # pyright: ignore[reportArgumentType, reportCallIssue]  # any callable will do
    kept = {name: f for name, f in made.filters.items() if name not in _FILTERS_OFF}
    made.filters.update({name: _guarded(function) for name, function in kept.items()})
    made.filters["number"] = number_text
    for name in _FILTERS_OFF:
        del made.filters[name]
    return made


@lru_cache(maxsize=256)
def _compiled(source: str, *, html: bool) -> Template:
    if len(source) > LONGEST_SOURCE:
        raise UserTemplateError(f"the template is longer than {LONGEST_SOURCE:,} characters")
    environment = _environment(html=html)
    tree = environment.parse(source)
    for node in tree.find_all(_STATEMENTS_OFF):
        raise UserTemplateError(
            f"template: only if, for and expressions are allowed (line {node.lineno})"
        )
    loops = list(tree.find_all(nodes.For))
    if len(loops) > MOST_LOOPS or any(_depth(loop) > DEEPEST_LOOPS for loop in loops):
        raise UserTemplateError(
            f"template: at most {MOST_LOOPS} loops, {DEEPEST_LOOPS} inside each other"
        )
    return environment.from_string(source)


def _depth(loop: nodes.For) -> int:
    return 1 + max((_depth(inner) for inner in loop.find_all(nodes.For)), default=0)


def render(source: str, context: Mapping[str, Any], *, html: bool, limit: int = LIMIT) -> str:
    """The text of a template; values are escaped if it is HTML.

    Raises:
        UserTemplateError: it is no template, uses what is not there or not allowed, or grows past
            the limit.
    """
    parts: list[str] = []
    size = 0
    try:
        for part in _compiled(source, html=html).generate(dict(context)):
            size += len(part)
            if size > limit:
                raise UserTemplateError(f"template: the text is longer than {limit:,} characters")
            parts.append(part)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise UserTemplateError(
            f"template: {error.message}" + (f" (line {line})" if line else "")
        ) from None
    except (TypeError, ValueError, ArithmeticError, AttributeError, RecursionError) as error:
        raise UserTemplateError(f"template: {error}") from None
    return "".join(parts)
