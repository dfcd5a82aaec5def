"""Bounds of one rendering, counted while it runs: steps, size of all values, processor time.

Reads and writes nothing. Every value of a template is plain (text, numbers, lists, mappings) and
weighs at most :data:`LONGEST_VALUE`, itself and all that it holds; so whatever Python does with one
value, such as comparing or showing it, is short, too.
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

LONGEST_VALUE = 50_000
MOST_STEPS = 20_000
LARGEST_VOLUME = 1_000_000
LONGEST_SECONDS = 1.0
_STEPS_PER_LOOK = 16  # at the clock
GREATEST_INTEGER = 10**30


class TemplateFunction:
    """A function that a template may call; nothing else can be called."""

    def __init__(self, name: str, function: Any) -> None:
        self.name = name
        self.function = function

    @override
    def __repr__(self) -> str:
        return f"{self.name}()"


class Budget:
    """What one rendering has left."""

    def __init__(self, seconds: float = LONGEST_SECONDS) -> None:
        self._steps = MOST_STEPS
        self._volume = LARGEST_VOLUME
        self._deadline = time.thread_time() + seconds
        self._seconds = seconds

    def step(self) -> None:
        """Count an iteration, filter, test, operator, attribute or call."""
        self._steps -= 1
        if self._steps < 0:
            raise UserTemplateError(
                f"template: more than {MOST_STEPS:,} steps (iterations, filters, operators, calls)"
            )
        if not self._steps % _STEPS_PER_LOOK and time.thread_time() > self._deadline:
            raise UserTemplateError(f"template: it computes for more than {self._seconds:g} s")

    def take(self, weight: int) -> None:
        """Count the characters and items of a new value."""
        if weight > LONGEST_VALUE:
            raise UserTemplateError(
                f"template: a value is longer than {LONGEST_VALUE:,} characters and items"
            )
        self._volume -= weight
        if self._volume < 0:
            raise UserTemplateError(
                f"template: its values have more than {LARGEST_VOLUME:,} characters and items"
                " in total"
            )


_current: ContextVar[Budget] = ContextVar("budget of the template that is rendered")


@contextmanager
def rendering(budget: Budget) -> Generator[None]:
    """Count all that templates do in this thread or task until the end of the block."""
    token = _current.set(budget)
    try:
        yield
    finally:
        _current.reset(token)


def step() -> None:
    """Count one step; without a budget nothing of a template runs."""
    _current.get().step()


def reserve(size: int) -> None:
    """Refuse a value of this size before it is made."""
    if size > LONGEST_VALUE:
        _current.get().take(size)


def checked(value: Any) -> Any:
    """A value that a template made: plain and counted; lazy ones as lists.

    Raises:
        UserTemplateError: it is too large, or the rendering is over its bounds.
    """
    if isinstance(value, str):
        _current.get().take(len(value) + 1)
        return value
    if isinstance(value, Iterator | ItemsView | KeysView | ValuesView | range):
        return _listed(value)
    _current.get().take(weight(value))
    return value


def _listed(values: Iterable[Any]) -> list[Any]:
    budget = _current.get()
    items: list[Any] = []
    total = 1
    for value in values:
        items.append(value)
        total += weight(value)
        budget.step()
        reserve(total)
    budget.take(total)
    return items


def weight(value: Any) -> int:
    """Characters, numbers and items of a plain value; not exact past the longest.

    Raises:
        UserTemplateError: something in it is not plain, or a number is too great.
    """
    total, left = 0, [value]
    while left and total <= LONGEST_VALUE:
        item = left.pop()
        total += 1
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list | tuple):
            left.extend(item)
        elif isinstance(item, dict):
            left.extend(item.keys())
            left.extend(item.values())
        elif item is not None and not isinstance(item, float):
            _check_atom(item)
    return total


def check_integer(value: Any) -> None:
    """Refuse a whole number that takes long to compute with.

    Raises:
        UserTemplateError: it is one.
    """
    if isinstance(value, int) and abs(value) > GREATEST_INTEGER:
        raise UserTemplateError("template: an integer has more than 30 digits")


def _check_atom(value: Any) -> None:
    check_integer(value)
    if not isinstance(value, int | Undefined | LoopContext | TemplateFunction):
        raise UserTemplateError(
            f"template: a value of type {type(value).__name__} can't be used;"
            " texts, numbers, lists and mappings can"
        )
