"""The Jinja environment of user templates: every operation is allowed, counted and bounded.

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
from analytics_worker.user_templates.budget import TemplateFunction, checked, reserve, step, weight
from analytics_worker.user_templates.syntax import CONCAT, COUNT, ITERATE, VALUE, bounded

LONGEST_RANGE = 1000
_OF_THE_COMPILER = {"_loop_vars", "_block_vars"}  # what it adds to a call inside a loop


class Sandbox(ImmutableSandboxedEnvironment):
    """Knows nothing but the filters, tests, methods and operators of the allow lists."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})

    def __init__(self, *, html: bool) -> None:
        super().__init__(
            autoescape=html,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            optimized=False,  # nothing of a template runs while it is compiled
            finalize=_shown,
        )
        self.globals.clear()
        self.globals.update({"range": TemplateFunction("range", _short_range)})  # pyright: ignore[reportArgumentType, reportCallIssue]  # any value will do
        join = markup_join if html else str_join
        inner = {ITERATE: _iterated, VALUE: checked, COUNT: _passed, CONCAT: _concatenation(join)}
        self.filters = {**filters.filters(), **inner}
        self.tests = filters.tests()

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        """``obj.name``: a method, then an item of a mapping."""
        step()
        return self._found(obj, attribute, methods_first=True)

    @override
    def getitem(self, obj: Any, argument: Any) -> Any:
        """``obj[…]``: an item, then a method."""
        step()
        return self._found(obj, argument, methods_first=False)

    def _found(self, obj: Any, name: Any, *, methods_first: bool) -> Any:
        places = [_item, attribute] if isinstance(name, str) else [_item]
        for place in reversed(places) if methods_first else places:
            try:
                return place(obj, name)
            except (TypeError, LookupError):
                continue
        return self.undefined(obj=obj, name=name)

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic on numbers, and joining texts and lists with ``+``."""
        step()
        for operand in (left, right):
            if isinstance(operand, Undefined):
                str(operand)  # says which value is missing
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "**" or not (numbers or operator == "+"):
            raise SecurityError(f"{operator} works on numbers only")
        if not numbers:
            reserve(weight(left) + weight(right))
        return checked(super().call_binop(context, operator, left, right))

    @override
    def call(self, context: Context, obj: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Call a method of a plain value, such as ``name.upper()``, or ``range``."""
        if isinstance(obj, Undefined):
            obj()
        if not isinstance(obj, TemplateFunction):
            raise SecurityError(f"a value of type {type(obj).__name__} can't be called")
        step()
        given = {name: value for name, value in kwargs.items() if name not in _OF_THE_COMPILER}
        return checked(obj.function(*args, **given))

    def compiled(self, source: str) -> Template:
        """A template that counts what it does."""
        return self.from_string(bounded(self.parse(source), self))


def _item(obj: Any, name: Any) -> Any:
    if isinstance(obj, str | list | tuple | dict | Undefined):
        return obj[name]
    raise LookupError(name)


@pass_context
def _shown(_context: Context, value: Any) -> Any:
    """The text of a value in the output."""
    step()
    if isinstance(value, LoopContext | TemplateFunction):
        raise SecurityError("a function or loop has no text; is there a () missing?")
    return checked(value if isinstance(value, str) else str(checked(value)))


def _iterated(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        step()
        yield value


def _passed(value: Any) -> Any:
    step()
    return value


def _concatenation(join: Callable[[Iterable[Any]], str]) -> Callable[[Any], Any]:
    def concatenation(parts: list[Any]) -> Any:
        step()
        reserve(sum(map(weight, parts)))
        return checked(join(parts))

    return concatenation


def _short_range(*bounds: int) -> range:
    try:
        numbers = range(*bounds)
        if len(numbers) <= LONGEST_RANGE:
            return numbers
    except OverflowError:
        pass
    raise SecurityError(f"a range has at most {LONGEST_RANGE} numbers")
