"""A shared store that may go away: breakers then count in memory until it is back.

Reads and writes what the shared store does. While that is unreachable it is left alone for some
seconds at a time, so its timeouts are not added to every guarded call, and one warning a minute
says so. It is used again once a write to it worked.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from analytics_worker.breakers.memory import MemoryStore
from analytics_worker.breakers.state_machine import (
    BreakerStore,
    Change,
    Limits,
    Permit,
    Record,
    Refusal,
    StoreUnreachableError,
)

PAUSE_SECONDS = 5.0
WARNING_INTERVAL_SECONDS = 60.0

T = TypeVar("T")

logger = logging.getLogger("analytics_worker.circuit_breaker")


class FailOpenStore:
    """Asks the shared store, or memory while that is unreachable.

    What an operator does or asks about all processes (`force`, `load_all`, `check`) is never
    answered from memory: it raises StoreUnreachableError.
    """

    def __init__(self, shared: BreakerStore, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Wrap the shared store; nothing is opened."""
        self.shared = shared
        self._pause_seconds = pause_seconds
        self._memory: MemoryStore | None = None
        self._next_try = 0.0
        self._next_warning = 0.0
        self._lock = threading.Lock()

    @property
    def kind(self) -> str:
        """The kind of store that answers at the moment."""
        return self.shared.kind if self._memory is None else self._memory.kind

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Ask to make one call."""
        if self._memory is None:  # the usual case, at the price of one comparison
            try:
                return self.shared.acquire(name, limits)
            except StoreUnreachableError as error:
                return self._lost(error).acquire(name, limits)
        return self._ask(lambda store: store.acquire(name, limits))

    def succeed(self, name: str, limits: Limits, permit: Permit) -> Change:
        """Record that the call worked."""
        if permit.issuer is not self.shared:
            return permit.issuer.succeed(name, limits, permit)
        return self._ask(lambda store: store.succeed(name, limits, permit))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> Change:
        """Record that the call failed; in memory, if the shared store went away meanwhile."""
        if permit.issuer is not self.shared:
            return permit.issuer.fail(name, limits, permit, error)

        def count(store: BreakerStore) -> Change:
            mine = permit if store is self.shared else store.acquire(name, limits)
            if isinstance(mine, Refusal):
                return Change(mine.state, mine.state)
            return store.fail(name, limits, mine, error)

        return self._ask(count)

    def release(self, name: str, permit: Permit) -> None:
        """Give a permit back without a verdict."""
        if permit.issuer is not self.shared:
            return permit.issuer.release(name, permit)
        return self._ask(lambda store: store.release(name, permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add calls that worked and changed nothing else."""
        self._ask(lambda store: store.count_successes(name, count))

    def force(self, name: str, state: str, reset_timeout: float) -> Change:
        """Put the breaker into a state by hand."""
        change = self.shared.force(name, state, reset_timeout)
        if memory := self._memory:
            memory.force(name, state, reset_timeout)
        return change

    def load(self, name: str) -> Record:
        """The breaker's record, as this process sees it."""
        return self._ask(lambda store: store.load(name))

    def load_all(self) -> dict[str, Record]:
        """Every breaker that was ever written to the shared store."""
        return self.shared.load_all()

    def check(self) -> None:
        """Prove that the shared store can be written."""
        self.shared.check()

    def _ask(self, step: Callable[[BreakerStore], T]) -> T:
        memory = self._standing_in()
        if memory is None:
            try:
                return step(self.shared)
            except StoreUnreachableError as error:
                memory = self._lost(error)
        return step(memory)

    def _standing_in(self) -> MemoryStore | None:
        """Memory, while the shared store is away; once per pause one caller looks for it."""
        memory = self._memory
        if memory is None or time.monotonic() < self._next_try:
            return memory
        with self._lock:
            if time.monotonic() < self._next_try:
                return memory
            self._next_try = time.monotonic() + self._pause_seconds
        try:
            self.shared.check()
        except StoreUnreachableError as error:
            self._warn(error)
            return memory
        self._memory = None
        logger.info("Circuit breakers share their state again: %s", self.shared)
        return None

    def _lost(self, error: StoreUnreachableError) -> MemoryStore:
        with self._lock:
            memory = self._memory or MemoryStore()
            if self._memory is None:
                self._next_try = time.monotonic() + self._pause_seconds
                self._memory = memory
        self._warn(error)
        return memory

    def _warn(self, error: StoreUnreachableError) -> None:
        if time.monotonic() < self._next_warning:
            return
        self._next_warning = time.monotonic() + WARNING_INTERVAL_SECONDS
        logger.warning(
            "Circuit breakers cannot share their state and count in this process alone until the "
            "store is back (%s)",
            error,
        )
