"""Provide a pybreaker circuit breaker whose state all processes share, with atomic transitions.

Reads and writes the breaker's record in its store, never while a guarded call runs. A call counts
once, by the first result it reports. Errors that are unrelated to the service's health (permanent
errors, cancellation, another open breaker, excluded errors) count neither as failure nor as success.
"""

import functools
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any, ParamSpec, TypeVar, cast

import pybreaker
from pybreaker import STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN
from typing_extensions import override

from analytics_worker.breakers.factory import configured_store
from analytics_worker.breakers.failure_limits import Limits
from analytics_worker.breakers.guarded_call import (
    Exclusion,
    Guard,
    circuit_open_error,
    is_service_failure,
)
from analytics_worker.breakers.guarded_function import (
    guarded_function,
    is_plain,
    run_coroutine,
    run_function,
)
from analytics_worker.breakers.state_machine import (
    BreakerStore,
    Permit,
    Refusal,
    StateChange,
)
from analytics_worker.breakers.statistics import BreakerStats, statistics
from analytics_worker.breakers.success_counter import SuccessCounter

# pyright: reportIncompatibleMethodOverride=false
# pybreaker types its decorator, coroutines (tornado) and setters more loosely than we can use them.

P = ParamSpec("P")
T = TypeVar("T")


class CircuitBreaker(pybreaker.CircuitBreaker):
    """Implement pybreaker's interface on shared state with atomic transitions.

    While half-open, one call at a time is admitted as a probe. The lease of a probe that never reports
    (a killed process) ends after ``probe_lease`` seconds. Works on functions, coroutine functions and
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
        """Define the breaker without opening its store; ``store`` overrides that of the settings."""
        self._shared_name = name
        self._store = store
        self._probe_lease = probe_lease
        self._success_counter = SuccessCounter(name)
        self._initialized = False
        super().__init__(
            fail_max=fail_max,
            reset_timeout=reset_timeout,
            success_threshold=success_threshold,
            exclude=exclude,
            listeners=listeners,
            name=name,
            throw_new_error_on_trip=False,
        )
        self._initialized = True

    @override
    def __call__(self, func: Callable[P, T]) -> Callable[P, T]:
        """Guard every call of the function: ``@breaker``."""
        return cast("Callable[P, T]", functools.wraps(func)(guarded_function(self, func)))

    @override
    def call(self, func: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Make one guarded call; of a coroutine function or generator, guard its whole run."""
        if is_plain(func):
            return run_function(self, func, *args, **kwargs)
        return guarded_function(self, func)(*args, **kwargs)

    @override
    async def call_async(
        self, func: Callable[P, Coroutine[Any, Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Make one guarded call of a coroutine function."""
        return await run_coroutine(self, func, *args, **kwargs)

    @override
    def calling(self) -> Guard:
        """Guard a block: ``with breaker.calling():``, also around ``await``."""
        return Guard(self)

    @override
    def is_system_error(self, exception: BaseException) -> bool:
        """Whether the error counts as a failure of the service; all others are not counted."""
        return is_service_failure(exception, self.excluded_exceptions)

    def admit(self) -> Permit:
        """Return a permit for one call, or raise CircuitOpenError. Called by `Guard`."""
        decision = self.store.acquire(self._shared_name, self.limits)
        if isinstance(decision, Refusal):
            raise circuit_open_error(self._shared_name, decision)
        if decision.previous_state == STATE_OPEN:
            self._notify_state_change(StateChange(STATE_OPEN, STATE_HALF_OPEN))
        return decision

    def settle(self, permit: Permit, error: BaseException | None) -> bool:
        """Record a call's result and return whether it was a failure. Called by `Guard`."""
        if error is None:
            self._record_success(permit)
            return False
        if not self.is_system_error(error):
            self.release(permit)
            return False
        change = self.store.fail(self._shared_name, self.limits, permit, type(error).__name__)
        for listener in self.listeners:
            listener.failure(self, error)
        self._notify_state_change(change)
        return True

    def release(self, permit: Permit) -> None:
        """End a permit without counting a result. Called by `Guard`."""
        if permit.probe is not None:
            self.store.release(self._shared_name, permit)

    def notify_before_call(self, func: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        """Notify the listeners that a guarded call starts."""
        for listener in self._listeners:
            listener.before_call(self, func, *args, **kwargs)

    def get_stats(self) -> BreakerStats:
        """Return the breaker's state and counts, as this process sees them; never raises."""
        return statistics(
            self._shared_name, self.store.load(self._shared_name), self.store.kind, time.time()
        )

    def force_open(self, seconds: float | None = None) -> None:
        """Refuse calls in all processes; probe after ``seconds`` (default: the reset timeout)."""
        wait = self.reset_timeout if seconds is None else seconds
        self._notify_state_change(self.store.force(self._shared_name, STATE_OPEN, wait))

    def reset(self) -> None:
        """Close the breaker in all processes and reset its failures; the totals are kept."""
        self._notify_state_change(
            self.store.force(self._shared_name, STATE_CLOSED, self.reset_timeout)
        )

    @override
    def open(self) -> bool:
        """Call `force_open`, under pybreaker's name."""
        self.force_open()
        return False

    @override
    def half_open(self) -> None:
        """Admit the next call as a probe."""
        self._notify_state_change(
            self.store.force(self._shared_name, STATE_HALF_OPEN, self.reset_timeout)
        )

    @override
    def close(self) -> None:
        """Call `reset`, under pybreaker's name."""
        self.reset()

    @property
    @override
    def current_state(self) -> str:
        """``closed``, ``open`` or ``half-open``."""
        # pybreaker's constructor reads it, too, and defining a breaker must open nothing.
        return self.store.load(self._shared_name).state if self._initialized else STATE_CLOSED

    @property
    @override
    def state(self) -> Any:
        """The state as pybreaker's object. It is read-only: use `reset` and `force_open`."""
        return self._create_new_state(self.current_state)

    @property
    @override
    def fail_counter(self) -> int:
        """The number of consecutive failures."""
        return self.store.load(self._shared_name).failures

    @property
    @override
    def success_counter(self) -> int:
        """The number of consecutive successful probes while half-open."""
        return self.store.load(self._shared_name).probe_successes

    @property
    def store(self) -> BreakerStore:
        """The store of the breaker's state."""
        return self._store or configured_store()

    @property
    @override
    def name(self) -> str:
        """The name under which all processes know this breaker."""
        return self._shared_name

    @property
    def limits(self) -> Limits:
        """The limits at which the breaker opens and closes."""
        timeout = self._reset_timeout
        lease = timeout if self._probe_lease is None else self._probe_lease
        return Limits(self._fail_max, timeout, self._success_threshold, lease)

    def _record_success(self, permit: Permit) -> None:
        if permit.probe is None and not permit.after_failures:
            self._success_counter.count(self, self.store)
            change = None
        else:
            change = self.store.succeed(self._shared_name, self.limits, permit)
        for listener in self._listeners:
            listener.success(self)
        if change:
            self._notify_state_change(change)

    def _notify_state_change(self, change: StateChange) -> None:
        if change.before == change.after:
            return
        before, after = map(self._create_new_state, change)
        for listener in self._listeners:
            listener.state_change(self, before, after)
