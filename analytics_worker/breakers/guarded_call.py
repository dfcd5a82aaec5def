"""One call through a circuit breaker, and the error that a refused call raises.

Reads and writes the breaker's record through the breaker that it is given. A guard is for one call
and reports once.
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
    """The call was not made: the service failed too often and is being left alone.

    ``breaker`` names the breaker, ``state`` is ``open`` or ``half-open`` (somebody else is trying
    already), ``retry_after`` says in how many seconds another call may be let through.
    """

    def __init__(
        self,
        message: str,
        *,
        breaker: str = "",
        state: str = pybreaker.STATE_OPEN,
        retry_after: float = 0.0,
    ) -> None:
        """Keep what a caller may act on; the defaults are there for unpickling."""
        super().__init__(message)
        self.breaker = breaker
        self.state = state
        self.retry_after = retry_after


def open_error(name: str, refusal: Refusal) -> CircuitOpenError:
    """The error for a call that was turned away: since when, after which error, until when."""
    seconds = f"{refusal.retry_after:.0f} s" if refusal.retry_after >= 1 else "less than 1 s"
    if refusal.state == pybreaker.STATE_OPEN:
        then = f"next probe in {seconds}"
    else:
        then = f"a probe is under way, another may start in {seconds}"
    return CircuitOpenError(
        f"circuit breaker {name!r} is open since {iso(refusal.opened_at)} "
        f"(last error: {refusal.last_error}); {then}",
        breaker=name,
        state=refusal.state,
        retry_after=refusal.retry_after,
    )


Exclusion = type[BaseException] | Callable[[Any], bool]


def speaks_against_service(error: BaseException, exclusions: Iterable[Exclusion]) -> bool:
    """Whether the error is a failure of the service rather than a fault of the call or its end."""
    if not isinstance(error, Exception) or is_permanent(error):
        return False
    if isinstance(error, (pybreaker.CircuitBreakerError, CancelledError)):
        return False
    return not any(
        isinstance(error, exclusion) if isinstance(exclusion, type) else exclusion(error)
        for exclusion in exclusions
    )


class Guardian(Protocol):
    """What a guarded call asks of its breaker."""

    def admit(self) -> Permit:
        """Leave for one call, or CircuitOpenError."""
        ...

    def settle(self, permit: Permit, error: BaseException | None) -> bool:
        """Record the call's result; true if it counted as a failure."""
        ...

    def release(self, permit: Permit) -> None:
        """Record that the call says nothing about the service."""
        ...


class Guard:
    """One guarded call, for ``with``: nothing is locked while it runs, no error is replaced.

    Inside a probe, further calls through the same breaker are part of the probe. A failure that
    passes through two calls of the same breaker, one inside the other, counts once.
    """

    __slots__ = ("_counted", "_permit", "breaker", "outer", "running")

    def __init__(self, breaker: Guardian) -> None:
        """Prepare one call."""
        self.breaker = breaker
        self._counted: BaseException | None = None
        self.outer: Guard | None = None
        self._permit: Permit | None = None
        self.running = False

    def __enter__(self) -> None:
        """Ask for leave."""
        self.outer = _innermost.get()
        while self.outer is not None and not self.outer.running:
            self.outer = self.outer.outer  # generators may end calls in another order
        if self.outer is None or not any(around.is_probe() for around in self._same_breaker()):
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
        for around in self._same_breaker():
            around.counted(error)

    def is_probe(self) -> bool:
        """Whether this call, still running, decides if the breaker closes."""
        return self._permit is not None and self._permit.probe is not None

    def counted(self, error: BaseException | None) -> None:
        """Do not count this error again, should it leave this call too."""
        self._counted = error

    def _same_breaker(self) -> Iterator["Guard"]:
        """The calls around this one that go through the same breaker, innermost first."""
        around = self.outer
        while around is not None:
            if around.breaker is self.breaker:
                yield around
            around = around.outer


_innermost: ContextVar[Guard | None] = ContextVar("innermost guarded call", default=None)
