"""Breaker state of one process: what stands in while the shared store is unreachable.

Reads and writes nothing outside the process.
"""

import threading
import time
import uuid
from dataclasses import replace

from analytics_worker.breakers import state_machine
from analytics_worker.breakers.state_machine import (
    STATE_CLOSED,
    Change,
    Limits,
    Permit,
    Record,
    Refusal,
)

_UNUSED = Record()


class MemoryStore:
    """Keeps records in a dictionary; safe for threads, not shared by processes."""

    kind = "memory"

    def __init__(self) -> None:
        """Start empty."""
        self._lock = threading.Lock()
        self._records: dict[str, Record] = {}

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Ask to make one call."""
        with self._lock:
            record = self.load(name)
            if record.state == STATE_CLOSED:
                return Permit(self, record.generation, None, record.failures > 0)
            self._records[name], answer = state_machine.acquire(
                record, limits, uuid.uuid4().hex, time.time(), self
            )
        return answer

    def succeed(self, name: str, limits: Limits, permit: Permit) -> Change:
        """Record that the call worked."""
        with self._lock:
            return self._put(name, state_machine.succeed(self.load(name), limits, permit))

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> Change:
        """Record that the call failed."""
        with self._lock:
            failed = state_machine.fail(self.load(name), limits, permit, error, time.time())
            return self._put(name, failed)

    def release(self, name: str, permit: Permit) -> None:
        """Give a permit back without a verdict."""
        with self._lock:
            self._put(name, state_machine.release(self.load(name), permit))

    def count_successes(self, name: str, count: int) -> None:
        """Add calls that worked and changed nothing else."""
        with self._lock:
            record = self.load(name)
            self._put(name, replace(record, successes_total=record.successes_total + count))

    def force(self, name: str, state: str, reset_timeout: float) -> Change:
        """Put the breaker into a state by hand."""
        with self._lock:
            forced = state_machine.force(self.load(name), state, reset_timeout, time.time())
            return self._put(name, forced)

    def load(self, name: str) -> Record:
        """The breaker's record."""
        return self._records.get(name, _UNUSED)

    def load_all(self) -> dict[str, Record]:
        """Every breaker that was used."""
        with self._lock:
            return dict(self._records)

    def check(self) -> None:
        """Memory can always be written."""

    def _put(self, name: str, record: Record) -> Change:
        before = self.load(name).state
        self._records[name] = record
        return Change(before, record.state)
