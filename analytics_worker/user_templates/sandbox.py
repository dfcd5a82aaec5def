"""Provide the Jinja environment of user templates, in which every operation is checked and counted.

Reads and writes nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from jinja2 import StrictUndefined, Template, Undefined, pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, markup_join, str_join
from jinja2.sandbox import ImmutableSandboxedEnvironment
from typing_extensions import override

from analytics_worker.user_templates import filters
from analytics_worker.user_templates.attributes import attribute
from analytics_worker.user_templates.budget import (
    TemplateFunction,
    check_value,
    reserve,
    step,
    weight,
)
from analytics_worker.user_templates.syntax import CONCAT, COUNT, ITERATE, VALUE, count_steps

MAX_RANGE = 1000
_COMPILER_ARGUMENTS = {"_loop_vars", "_block_vars"}  # it adds them to calls inside loops


class Sandbox(ImmutableSandboxedEnvironment):
    """An environment with only the filters, tests, methods and operators of the allow lists."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # nothing of a template runs while it is compiled
            finalize=_finalize,
        )
        self.globals.clear()
        self.globals.update({"range": TemplateFunction("range", _short_range)})  # pyright: ignore[reportArgumentType, reportCallIssue]  # any value will do
        join = markup_join if html else str_join
        inner = {
            ITERATE: _counted_items,
            VALUE: check_value,
            COUNT: _count_value,
            CONCAT: _concatenation(join),
        }
        self.filters = {**filters.filters(), **inner}
        self.tests = filters.tests()

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return ``obj.name``: a method, else an item of a mapping."""
        step()
        return self._lookup(obj, attribute, methods_first=True)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        """Return ``obj[…]``: an item, else a method."""
        step()
        return self._lookup(obj, argument, methods_first=False)

    def _lookup(self, obj: Any, name: Any, *, methods_first: bool) -> Any:
        lookups = [_item, attribute] if isinstance(name, str) else [_item]
        for lookup in reversed(lookups) if methods_first else lookups:
            try:
                return lookup(obj, name)
            except (TypeError, LookupError):
                continue
        return self.undefined(obj=obj, name=name)

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute with numbers, or join texts and lists with ``+``."""
        step()
        for operand in (left, right):
            if isinstance(operand, Undefined):
                str(operand)  # raises an error that names the missing value
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or not (numbers or operator == "+"):
            raise SecurityError(f"{operator} works on numbers only")
        if not numbers:
            reserve(weight(left) + weight(right))
        return check_value(super().call_binop(context, operator, left, right))

    @override
    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a plain value, such as ``name.upper()``, or ``range``."""
        if isinstance(obj, Undefined):
            obj()
        if not isinstance(obj, TemplateFunction):
            raise SecurityError(f"a value of type {type(obj).__name__} can't be called")
        step()
        arguments = {
            name: value for name, value in kwargs.items() if name not in _COMPILER_ARGUMENTS
        }
        return check_value(obj.function(*args, **arguments))

    def compile_template(self, source: str) -> Template:
        """Compile a template that counts its steps."""
        return self.from_string(count_steps(self.parse(source), self))


def _item(obj: Any, name: Any) -> Any:
    if isinstance(obj, str | list | tuple | dict | Undefined):
        return obj[name]
    raise LookupError(name)


@pass_context
def _finalize(_context: Context, value: Any) -> Any:
    """Return the text of a value in the output."""
    step()
    if isinstance(value, LoopContext | TemplateFunction):
        raise SecurityError("a function or loop has no text; did you forget ()?")
    return check_value(value if isinstance(value, str) else str(check_value(value)))


def _counted_items(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        step()
        yield value


def _count_value(value: Any) -> Any:
    step()
    return value


def _concatenation(join: Callable[[Iterable[Any]], str]) -> Callable[[Any], Any]:
    def concatenation(parts: list[Any]) -> Any:
        step()
        reserve(sum(map(weight, parts)))
        return check_value(join(parts))

    return concatenation


def _short_range(*bounds: int) -> range:
    try:
        numbers = range(*bounds)
        if len(numbers) <= MAX_RANGE:
            return numbers
    except OverflowError:
        pass
    raise SecurityError(f"a range has at most {MAX_RANGE} numbers")
