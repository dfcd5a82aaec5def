"""Keep breaker state in memory while the shared store is unreachable.

Reads and writes nothing outside the process.
"""

import threading
import time
import uuid
from dataclasses import replace

from analytics_worker.breakers import state_machine
from analytics_worker.breakers.failure_limits import Limits
from analytics_worker.breakers.state_machine import (
    STATE_CLOSED,
    Permit,
    Record,
    Refusal,
    StateChange,
)

_EMPTY = Record()


class MemoryStore:
    """A store in a dictionary, safe for threads and not shared by processes."""

    kind = "memory"

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Request a permit for one call."""
        with self._lock:
            record = self.load(name)
            if record.state == STATE_CLOSED:
                return Permit(self, record.generation, None, record.failures > 0)
            self._records[name], answer = state_machine.acquire(
                record, limits, uuid.uuid4().hex, time.time(), self
            )
        return answer

    def succeed(self, name: str, limits: Limits, permit: Permit) -> StateChange:
        """Record a successful call."""
        with self._lock:
            return self._replace(name, state_machine.succeed(self.load(name), limits, permit))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> StateChange:
        """Record a failed call."""
        with self._lock:
            failed = state_machine.fail(self.load(name), limits, permit, error, time.time())
            return self._replace(name, failed)

    def release(self, name: str, permit: Permit) -> None:
        """End a permit without counting a result."""
        with self._lock:
            self._replace(name, state_machine.release(self.load(name), permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add successful calls that changed no state."""
        with self._lock:
            record = self.load(name)
            self._replace(name, replace(record, successes_total=record.successes_total + count))

    def force(self, name: str, state: str, reset_timeout: float) -> StateChange:
        """Set the breaker's state by an operator's decision."""
        with self._lock:
            forced = state_machine.force(self.load(name), state, reset_timeout, time.time())
            return self._replace(name, forced)

    def load(self, name: str) -> Record:
        """Return the breaker's record."""
        return self._records.get(name, _EMPTY)

    def load_all(self) -> dict[str, Record]:
        """Return the records of all breakers, by name."""
        with self._lock:
            return dict(self._records)

    def check(self) -> None:
        """Do nothing: memory is always writable."""

    def _replace(self, name: str, record: Record) -> StateChange:
        before = self.load(name).state
        self._records[name] = record
        return StateChange(before, record.state)
