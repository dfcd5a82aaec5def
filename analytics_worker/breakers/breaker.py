"""A pybreaker circuit breaker whose state all processes share, with atomic transitions.

Reads and writes the breaker's record in its store, never while a guarded call runs. A call counts
once, by the first result it reports; errors that say nothing about the service's health (permanent
errors, cancellation, another open breaker, excluded errors) count neither way.
"""

import functools
import inspect
import time
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import pybreaker
from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN
from typing_extensions import override

from analytics_worker.breakers.factory import chosen_store
from analytics_worker.breakers.guarded_call import (
    Exclusion,
    Guard,
    open_error,
    speaks_against_service,
)
from analytics_worker.breakers.state_machine import BreakerStore, Change, Limits, Permit, Refusal
from analytics_worker.breakers.statistics import BreakerStats, statistics
from analytics_worker.breakers.success_counter import SuccessTally

# pyright: reportIncompatibleMethodOverride=false
# pybreaker types its decorator, coroutines (tornado) and setters more loosely than we can use them.

P = ParamSpec("P")
T = TypeVar("T")
_SPECIAL = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


class CircuitBreaker(pybreaker.CircuitBreaker):
    """pybreaker's interface on shared state with atomic transitions.

    While half-open, one call at a time is let through; one that never reports (a killed process)
    frees its place after ``probe_lease`` seconds. Works on functions, coroutine functions and
    generators, as decorator, by ``call`` or as ``with breaker.calling():``.
    """

    def __init__(  # noqa: PLR0913  # pybreaker's own options
        self,
        name: str,
        *,
        fail_max: int = 5,
        reset_timeout: float = 60,
        success_threshold: int = 1,
        probe_lease: float | None = None,
        exclude: Iterable[Exclusion] | None = None,
        listeners: Sequence[pybreaker.CircuitBreakerListener] | None = None,
        store: BreakerStore | None = None,
    ) -> None:
        """Define the breaker; nothing is opened. ``store`` replaces the one the settings name."""
        self._shared_name = name
        self._store = store
        self._probe_lease = probe_lease
        self._tally = SuccessTally(name)
        self._defined = False
        super().__init__(
            fail_max=fail_max,
            reset_timeout=reset_timeout,
            success_threshold=success_threshold,
            exclude=exclude,
            listeners=listeners,
            name=name,
            throw_new_error_on_trip=False,
        )
        self._defined = True

    @override
    def __call__(self, func: Callable[P, T]) -> Callable[P, T]:
        """Guard every call of the function: ``@breaker``."""
        return cast("Callable[P, T]", functools.wraps(func)(self._guarded(func)))

    @override
    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make one guarded call; of a coroutine function or generator, guard its whole run."""
        code = getattr(func, "__code__", None)  # inspect's own question takes 3 µs
        if code is None or code.co_flags & _SPECIAL:
            return self._guarded(func)(*args, **kwargs)
        return self._call(func, *args, **kwargs)

    @override
    async def call_async(
        self, func: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Make one guarded call of a coroutine function."""
        with Guard(self):
            self._announce(func, *args, **kwargs)
            return await func(*args, **kwargs)

    @override
    def calling(self) -> Guard:
        """Guard a block: ``with breaker.calling():``, also around ``await``."""
        return Guard(self)

    @override
    def is_system_error(self, exception: BaseException) -> bool:
        """Whether the error speaks against the service; all others count neither way."""
        return speaks_against_service(exception, self.excluded_exceptions)

    def admit(self) -> Permit:
        """Leave for one call, or CircuitOpenError. Called by `Guard`."""
        answer = self.store.acquire(self._shared_name, self.limits)
        if isinstance(answer, Refusal):
            raise open_error(self._shared_name, answer)
        if answer.found == STATE_OPEN:
            self._changed(Change(STATE_OPEN, STATE_HALF_OPEN))
        return answer

    def settle(self, permit: Permit, error: BaseException | None) -> bool:
        """Record a call's result; true if it was a failure. Called by `Guard`."""
        if error is None:
            self._succeeded(permit)
            return False
        if not self.is_system_error(error):
            self.release(permit)
            return False
        change = self.store.fail(self._shared_name, self.limits, permit, type(error).__name__)
        for listener in self.listeners:
            listener.failure(self, error)
        self._changed(change)
        return True

    def release(self, permit: Permit) -> None:
        """Record that a call says nothing about the service. Called by `Guard`."""
        if permit.probe is not None:
            self.store.release(self._shared_name, permit)

    def get_stats(self) -> BreakerStats:
        """The breaker's state and counts, as this process sees them; never raises."""
        return statistics(
            self._shared_name, self.store.load(self._shared_name), self.store.kind, time.time()
        )

    def force_open(self, seconds: float | None = None) -> None:
        """Refuse calls in all processes; probe after ``seconds`` (default: the reset timeout)."""
        wait = self.reset_timeout if seconds is None else seconds
        self._changed(self.store.force(self._shared_name, STATE_OPEN, wait))

    def reset(self) -> None:
        """Close the breaker in all processes and forget failures; the totals stay."""
        self._changed(self.store.force(self._shared_name, STATE_CLOSED, self.reset_timeout))

    @override
    def open(self) -> bool:
        """Under pybreaker's name: `force_open`."""
        self.force_open()
        return False

    @override
    def half_open(self) -> None:
        """Let the next call through as a probe."""
        self._changed(self.store.force(self._shared_name, STATE_HALF_OPEN, self.reset_timeout))

    @override
    def close(self) -> None:
        """Under pybreaker's name: `reset`."""
        self.reset()

    @property
    @override
    def current_state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        # pybreaker's constructor asks, too, and defining a breaker must open nothing.
        return self.store.load(self._shared_name).state if self._defined else STATE_CLOSED

    @property
    @override
    def state(self) -> Any:
        """The state as pybreaker's object; read-only: use `reset` and `force_open`."""
        return self._create_new_state(self.current_state)

    @property
    @override
    def fail_counter(self) -> int:
        """Failures in a row."""
        return self.store.load(self._shared_name).failures

    @property
    @override
    def success_counter(self) -> int:
        """Probes in a row that worked while half-open."""
        return self.store.load(self._shared_name).probe_successes

    @property
    def store(self) -> BreakerStore:
        """Where the state is kept."""
        return self._store or chosen_store()

    @property
    @override
    def name(self) -> str:
        """The name under which all processes know this breaker."""
        return self._shared_name

    @property
    def limits(self) -> Limits:
        """When it opens and closes."""
        timeout = self._reset_timeout
        lease = timeout if self._probe_lease is None else self._probe_lease
        return Limits(self._fail_max, timeout, self._success_threshold, lease)

    def _succeeded(self, permit: Permit) -> None:
        if permit.probe is None and not permit.after_failures:
            self._tally.count(self, self.store)
            change = None
        else:
            change = self.store.succeed(self._shared_name, self.limits, permit)
        for listener in self._listeners:
            listener.success(self)
        if change:
            self._changed(change)

    def _changed(self, change: Change) -> None:
        if change.before == change.after:
            return
        before, after = map(self._create_new_state, change)
        for listener in self._listeners:
            listener.state_change(self, before, after)

    def _announce(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        for listener in self._listeners:
            listener.before_call(self, func, *args, **kwargs)

    def _guarded(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """The function with a guard around its whole run, whatever kind it is."""
        if inspect.isasyncgenfunction(func):
            raise TypeError(
                f"{func.__qualname__} is an asynchronous generator: write "
                f"`with breaker.calling():` inside it instead of decorating it"
            )
        if inspect.iscoroutinefunction(func):
            return functools.partial(self.call_async, func)
        if inspect.isgeneratorfunction(func):
            return functools.partial(self._stream, func)
        return functools.partial(self._call, func)

    def _call(self, func: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        with Guard(self):
            if self._listeners:
                self._announce(func, *args, **kwargs)
            return func(*args, **kwargs)

    def _stream(
        self, func: Callable[..., Generator[Any, Any, T]], *args: Any, **kwargs: Any
    ) -> Generator[Any, Any, T]:
        with Guard(self):
            self._announce(func, *args, **kwargs)
            return (yield from func(*args, **kwargs))
