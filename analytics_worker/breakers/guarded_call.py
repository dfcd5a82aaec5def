"""Guard one call with a circuit breaker, and define the error that a refused call raises.

Reads and writes the breaker's record through the breaker that it is given. A guard is for one call
and reports one result.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol

import pybreaker

from analytics_worker.breakers.state_machine import Permit, Refusal
from analytics_worker.breakers.statistics import iso
from analytics_worker.errors import is_permanent


class CircuitOpenError(pybreaker.CircuitBreakerError):
    """The call was refused, because the service has failed repeatedly.

    ``breaker`` is the breaker's name, ``state`` is ``open`` or ``half-open`` (another call is the
    probe), ``retry_after`` is the time in seconds until the next call may be admitted.
    """

    def __init__(
        self,
        message: str,
        *,
        breaker: str = "",
        state: str = pybreaker.STATE_OPEN,
        retry_after: float = 0.0,
    ) -> None:
        """Set the attributes; the defaults are needed for unpickling."""
        super().__init__(message)
        self.breaker = breaker
        self.state = state
        self.retry_after = retry_after


def circuit_open_error(name: str, refusal: Refusal) -> CircuitOpenError:
    """Return the error for a refused call: since when, after which error, until when."""
    seconds = f"{refusal.retry_after:.0f} s" if refusal.retry_after >= 1 else "less than 1 s"
    if refusal.state == pybreaker.STATE_OPEN:
        next_probe = f"next probe in {seconds}"
    else:
        next_probe = f"a probe is under way, another may start in {seconds}"
    return CircuitOpenError(
        f"circuit breaker {name!r} is open since {iso(refusal.opened_at)} "
        f"(last error: {refusal.last_error}); {next_probe}",
        breaker=name,
        state=refusal.state,
        retry_after=refusal.retry_after,
    )


Exclusion = type[BaseException] | Callable[[Any], bool]


def is_service_failure(error: BaseException, exclusions: Iterable[Exclusion]) -> bool:
    """Whether the error is a failure of the service, rather than of the call or its cancellation."""
    if not isinstance(error, Exception) or is_permanent(error):
        return False
    if isinstance(error, (pybreaker.CircuitBreakerError, CancelledError)):
        return False
    return not any(
        isinstance(error, exclusion) if isinstance(exclusion, type) else exclusion(error)
        for exclusion in exclusions
    )


class GuardedBreaker(Protocol):
    """The interface of a breaker that a guarded call uses."""

    def admit(self) -> Permit:
        """Return a permit for one call, or raise CircuitOpenError."""
        ...

    def settle(self, permit: Permit, error: BaseException | None) -> bool:
        """Record the call's result and return whether it counted as a failure."""
        ...

    def release(self, permit: Permit) -> None:
        """End the permit without counting a result."""
        ...


class Guard:
    """A context manager around one guarded call. It holds no lock and replaces no error.

    Inside a probe, further calls through the same breaker are part of the probe. A failure that
    propagates through two nested calls of the same breaker counts once.
    """

    __slots__ = ("_counted", "_permit", "breaker", "outer", "running")

    def __init__(self, breaker: GuardedBreaker) -> None:
        self.breaker = breaker
        self._counted: BaseException | None = None
        self.outer: Guard | None = None
        self._permit: Permit | None = None
        self.running = False

    def __enter__(self) -> None:
        """Request a permit."""
        self.outer = _innermost.get()
        while self.outer is not None and not self.outer.running:
            self.outer = self.outer.outer  # generators may end calls in another order
        if self.outer is None or not any(
            outer_call.is_probe() for outer_call in self._enclosing_calls()
        ):
            self._permit = self.breaker.admit()
        self.running = True
        _innermost.set(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Report the result."""
        self.running = False
        _innermost.set(self.outer)
        permit, self._permit = self._permit, None
        if permit is None:
            return
        if error is not None and error is self._counted:
            self._counted = None
            self.breaker.release(permit)
        elif not self.breaker.settle(permit, error):
            return
        for outer_call in self._enclosing_calls():
            outer_call.mark_counted(error)

    def is_probe(self) -> bool:
        """Whether this call is a running probe, which decides if the breaker closes."""
        return self._permit is not None and self._permit.probe is not None

    def mark_counted(self, error: BaseException | None) -> None:
        """Mark an error as counted, so that this call does not count it again."""
        self._counted = error

    def _enclosing_calls(self) -> Iterator["Guard"]:
        """Yield the enclosing calls through the same breaker, innermost first."""
        outer_call = self.outer
        while outer_call is not None:
            if outer_call.breaker is self.breaker:
                yield outer_call
            outer_call = outer_call.outer


_innermost: ContextVar[Guard | None] = ContextVar("innermost guarded call", default=None)
