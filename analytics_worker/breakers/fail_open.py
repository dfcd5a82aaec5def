"""Wrap a shared store so that breakers count in memory while it is unavailable.

Reads and writes what the shared store does. While it is unavailable, it is tried once every few
seconds, so that its timeouts do not slow down every guarded call, and a warning is logged once a
minute. It is used again after a successful write.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from analytics_worker.breakers.failure_limits import Limits
from analytics_worker.breakers.memory import MemoryStore
from analytics_worker.breakers.state_machine import (
    BreakerStore,
    Permit,
    Record,
    Refusal,
    StateChange,
    StoreUnreachableError,
)

PAUSE_SECONDS = 5.0
WARNING_INTERVAL_SECONDS = 60.0

T = TypeVar("T")

logger = logging.getLogger("analytics_worker.circuit_breaker")


class FailOpenStore:
    """Use the shared store, or memory while it is unreachable.

    Operations on all processes (`force`, `load_all`, `check`) never use memory. They raise
    StoreUnreachableError.
    """

    def __init__(self, shared: BreakerStore, pause_seconds: float = PAUSE_SECONDS) -> None:
        """Wrap the shared store without opening it."""
        self.shared = shared
        self._pause_seconds = pause_seconds
        self._memory: MemoryStore | None = None
        self._next_try = 0.0
        self._next_warning = 0.0
        self._lock = threading.Lock()

    @property
    def kind(self) -> str:
        """The kind of store that is in use."""
        return self.shared.kind if self._memory is None else self._memory.kind

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Request a permit for one call."""
        if self._memory is None:  # the usual case costs one comparison
            try:
                return self.shared.acquire(name, limits)
            except StoreUnreachableError as error:
                return self._fall_back(error).acquire(name, limits)
        return self._run_step(lambda store: store.acquire(name, limits))

    def succeed(self, name: str, limits: Limits, permit: Permit) -> StateChange:
        """Record a successful call."""
        if permit.issuer is not self.shared:
            return permit.issuer.succeed(name, limits, permit)
        return self._run_step(lambda store: store.succeed(name, limits, permit))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> StateChange:
        """Record a failed call; in memory, if the shared store has become unavailable."""
        if permit.issuer is not self.shared:
            return permit.issuer.fail(name, limits, permit, error)

        def count(store: BreakerStore) -> StateChange:
            own_permit = permit if store is self.shared else store.acquire(name, limits)
            if isinstance(own_permit, Refusal):
                return StateChange(own_permit.state, own_permit.state)
            return store.fail(name, limits, own_permit, error)

        return self._run_step(count)

    def release(self, name: str, permit: Permit) -> None:
        """End a permit without counting a result."""
        if permit.issuer is not self.shared:
            return permit.issuer.release(name, permit)
        return self._run_step(lambda store: store.release(name, permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add successful calls that changed no state."""
        self._run_step(lambda store: store.count_successes(name, count))

    def force(self, name: str, state: str, reset_timeout: float) -> StateChange:
        """Set the breaker's state by an operator's decision."""
        change = self.shared.force(name, state, reset_timeout)
        if memory := self._memory:
            memory.force(name, state, reset_timeout)
        return change

    def load(self, name: str) -> Record:
        """Return the breaker's record, as this process sees it."""
        return self._run_step(lambda store: store.load(name))

    def load_all(self) -> dict[str, Record]:
        """Return the records of all breakers in the shared store, by name."""
        return self.shared.load_all()

    def check(self) -> None:
        """Prove that the shared store can be written."""
        self.shared.check()

    def _run_step(self, step: Callable[[BreakerStore], T]) -> T:
        memory = self._fallback_memory()
        if memory is None:
            try:
                return step(self.shared)
            except StoreUnreachableError as error:
                memory = self._fall_back(error)
        return step(memory)

    def _fallback_memory(self) -> MemoryStore | None:
        """Return the memory store while the shared one is unavailable; check that once per pause."""
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

    def _fall_back(self, error: StoreUnreachableError) -> MemoryStore:
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
            "Circuit breakers cannot share their state and count in this process only until the "
            "store is available again (%s)",
            error,
        )
