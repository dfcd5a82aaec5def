"""Limit one rendering while it runs: steps, size of all values, processor time.

Reads and writes nothing. Every value of a template is plain (text, numbers, lists, mappings) and has
a weight of at most :data:`MAX_VALUE_SIZE`, including its items. So every operation of Python on one
value, such as comparing or formatting it, is short, too.
"""

import time
from collections.abc import Generator, ItemsView, Iterable, Iterator, KeysView, ValuesView
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from jinja2 import Undefined
from jinja2.runtime import LoopContext
from typing_extensions import override

from analytics_worker.user_templates.values import UserTemplateError

MAX_VALUE_SIZE = 50_000
MAX_STEPS = 20_000
MAX_VOLUME = 1_000_000
MAX_SECONDS = 1.0
_STEPS_PER_CLOCK_CHECK = 16  # at the clock
MAX_INTEGER = 10**30


class TemplateFunction:
    """A function that a template may call; nothing else can be called."""

    def __init__(self, name: str, function: Any) -> None:
        self.name = name
        self.function = function

    @override
    def __repr__(self) -> str:
        return f"{self.name}()"


class Budget:
    """The steps, volume and time that one rendering may still use."""

    def __init__(self, seconds: float = MAX_SECONDS) -> None:
        self._steps = MAX_STEPS
        self._volume = MAX_VOLUME
        self._deadline = time.thread_time() + seconds
        self._seconds = seconds

    def step(self) -> None:
        """Count an iteration, filter, test, operator, attribute or call."""
        self._steps -= 1
        if self._steps < 0:
            raise UserTemplateError(
                f"template: more than {MAX_STEPS:,} steps (iterations, filters, operators, calls)"
            )
        if not self._steps % _STEPS_PER_CLOCK_CHECK and time.thread_time() > self._deadline:
            raise UserTemplateError(f"template: it computes for more than {self._seconds:g} s")

    def spend(self, weight: int) -> None:
        """Count the characters and items of a new value."""
        if weight > MAX_VALUE_SIZE:
            raise UserTemplateError(
                f"template: a value is longer than {MAX_VALUE_SIZE:,} characters and items"
            )
        self._volume -= weight
        if self._volume < 0:
            raise UserTemplateError(
                f"template: its values have more than {MAX_VOLUME:,} characters and items in total"
            )


_current: ContextVar[Budget] = ContextVar("budget of the template that is rendered")


@contextmanager
def use_budget(budget: Budget) -> Generator[None]:
    """Count the work of templates in this thread or task until the end of the block."""
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


def step() -> None:
    """Count one step; outside `use_budget` it fails, so that no template runs without a budget."""
    _current.get().step()


def reserve(size: int) -> None:
    """Refuse a value of this size before it is created."""
    if size > MAX_VALUE_SIZE:
        _current.get().spend(size)


def check_value(value: Any) -> Any:
    """Check and count a value that a template created; lazy ones become lists.

    Raises:
        UserTemplateError: it is too large, or the rendering exceeds its limits.
    """
    if isinstance(value, str):
        _current.get().spend(len(value) + 1)
        return value
    if isinstance(value, Iterator | ItemsView | KeysView | ValuesView | range):
        return _to_list(value)
    _current.get().spend(weight(value))
    return value


def _to_list(values: Iterable[Any]) -> list[Any]:
    budget = _current.get()
    items: list[Any] = []
    total = 1
    for value in values:
        items.append(value)
        total += weight(value)
        budget.step()
        reserve(total)
    budget.spend(total)
    return items


def weight(value: Any) -> int:
    """Return the number of characters, numbers and items of a plain value; not exact beyond the limit.

    Raises:
        UserTemplateError: a part of it is not plain, or a number is too large.
    """
    total, remaining = 0, [value]
    while remaining and total <= MAX_VALUE_SIZE:
        item = remaining.pop()
        total += 1
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list | tuple):
            remaining.extend(item)
        elif isinstance(item, dict):
            remaining.extend(item.keys())
            remaining.extend(item.values())
        elif item is not None and not isinstance(item, float):
            _check_atom(item)
    return total


def check_integer(value: Any) -> None:
    """Refuse a whole number that is slow to compute with.

    Raises:
        UserTemplateError: it is too large.
    """
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        raise UserTemplateError("template: an integer has more than 30 digits")


def _check_atom(value: Any) -> None:
    check_integer(value)
    if not isinstance(value, int | Undefined | LoopContext | TemplateFunction):
        raise UserTemplateError(
            f"template: a value of type {type(value).__name__} can't be used;"
            " expected a text, number, list or mapping"
        )
