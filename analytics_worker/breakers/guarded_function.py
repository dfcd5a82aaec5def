"""Wrap a function of any kind so that each of its calls is guarded by a circuit breaker.

Reads and writes the breaker's record through the breaker that it is given.
"""

import functools
import inspect
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Protocol, TypeVar

from analytics_worker.breakers.guarded_call import Guard, GuardedBreaker

T = TypeVar("T")
_SPECIAL = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class ObservedBreaker(GuardedBreaker, Protocol):
    """A breaker with listeners that are notified before each call."""

    def notify_before_call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Notify the listeners."""
        ...


def is_plain(func: Callable[..., Any]) -> bool:
    """Whether one call of the function is its whole run: no coroutine, no generator."""
    code = getattr(func, "__code__", None)  # inspect's own functions take 3 µs
    return code is not None and not code.co_flags & _SPECIAL


def guarded_function(breaker: ObservedBreaker, func: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with a guard around its whole run."""
    if inspect.isasyncgenfunction(func):
        raise TypeError(
            f"{func.__qualname__} is an asynchronous generator: write "
            f"`with breaker.calling():` inside it instead of decorating it"
        )
    if inspect.iscoroutinefunction(func):
        return functools.partial(run_coroutine, breaker, func)
    if inspect.isgeneratorfunction(func):
        return functools.partial(_run_generator, breaker, func)
    return functools.partial(run_function, breaker, func)


def run_function(breaker: ObservedBreaker, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Make one guarded call of a plain function."""
    with Guard(breaker):
        breaker.notify_before_call(func, *args, **kwargs)
        return func(*args, **kwargs)


async def run_coroutine(
    breaker: ObservedBreaker,
    func: Callable[..., Coroutine[Any, Any, T]],
    *args: Any,
    **kwargs: Any,
) -> T:
    """Make one guarded call of a coroutine function."""
    with Guard(breaker):
        breaker.notify_before_call(func, *args, **kwargs)
        return await func(*args, **kwargs)


def _run_generator(
    breaker: ObservedBreaker,
    func: Callable[..., Generator[Any, Any, T]],
    *args: Any,
    **kwargs: Any,
) -> Generator[Any, Any, T]:
    with Guard(breaker):
        breaker.notify_before_call(func, *args, **kwargs)
        return (yield from func(*args, **kwargs))
