"""Define the transitions of a circuit breaker: pure functions from one record to the next.

Reads and writes nothing. Stores run them inside their own transaction, so each step is atomic.
``transition.lua`` is the same logic inside Redis. Repeating is safe: a result counts only while
its permit is valid, and the first result ends the validity of a probe.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

from analytics_worker.breakers.failure_limits import Limits

# pybreaker's state names. Importing them would load the Redis client, 6 MB, into processes that only
# read records.
STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN = "closed", "half-open", "open"

OPENED_BY_HAND = "opened by hand"


class StoreUnreachableError(Exception):
    """The store of the breakers does not answer or cannot be written."""


@dataclass(frozen=True, slots=True)
class Record:
    """The stored state of one breaker; instants are seconds since 1970, totals never decrease."""

    state: str = STATE_CLOSED
    generation: int = 0
    failures: int = 0
    probe_successes: int = 0
    opened_at: float | None = None
    waiting_since: float = 0.0
    reset_timeout: float = 0.0
    probe: str | None = None
    probe_since: float = 0.0
    probe_lease: float = 0.0
    last_error: str | None = None
    last_failure_at: float | None = None
    failures_total: int = 0
    successes_total: int = 0
    rejections_total: int = 0
    trips_total: int = 0


class Permit(NamedTuple):
    """Permission for one call; ``probe`` is set if the call decides whether the breaker closes."""

    issuer: "BreakerStore"
    generation: int
    probe: str | None = None
    after_failures: bool = False
    previous_state: str = STATE_CLOSED


class Refusal(NamedTuple):
    """The reason why a call was refused; ``retry_after`` in seconds."""

    state: str
    retry_after: float
    opened_at: float | None
    last_error: str | None


class StateChange(NamedTuple):
    """The state before and after one step."""

    before: str
    after: str


class BreakerStore(Protocol):
    """A store of the records of all breakers; every method is one atomic step.

    Raises StoreUnreachableError if the state cannot be read or written.
    """

    @property
    def kind(self) -> str:
        """``memory``, ``sqlite`` or ``redis``."""
        ...

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Request a permit for one call; a refusal is counted."""
        ...

    def succeed(self, name: str, limits: Limits, permit: Permit) -> StateChange:
        """Record a successful call."""
        ...

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> StateChange:
        """Record a call that failed with an error of this type."""
        ...

    def release(self, name: str, permit: Permit) -> None:
        """End a permit without counting a result: another call may probe immediately."""
        ...

    def count_successes(self, name: str, count: int) -> None:
        """Add successful calls that changed no state."""
        ...

    def force(self, name: str, state: str, reset_timeout: float) -> StateChange:
        """Set the breaker's state by an operator's decision; results of earlier calls no longer count."""
        ...

    def load(self, name: str) -> Record:
        """Return the breaker's record, or a new one if none is stored."""
        ...

    def load_all(self) -> dict[str, Record]:
        """Return the records of all breakers, by name."""
        ...

    def check(self) -> None:
        """Prove that the store can be written."""
        ...


def acquire(
    record: Record, limits: Limits, token: str, now: float, issuer: BreakerStore
) -> tuple[Record, Permit | Refusal]:
    """Admit calls while closed; otherwise refuse them, except for one probe at a time."""
    if record.state == STATE_CLOSED:
        return record, Permit(issuer, record.generation, None, record.failures > 0)
    record = _clamped_to_now(record, now)
    wait = _wait_seconds(record, now)
    if wait > 0:
        refusal = Refusal(record.state, wait, record.opened_at, record.last_error)
        return replace(record, rejections_total=record.rejections_total + 1), refusal
    probing = replace(
        record,
        state=STATE_HALF_OPEN,
        probe=token,
        probe_since=now,
        probe_lease=limits.probe_lease,
        probe_successes=record.probe_successes if record.state == STATE_HALF_OPEN else 0,
    )
    return probing, Permit(issuer, record.generation, token, previous_state=record.state)


def succeed(record: Record, limits: Limits, permit: Permit) -> Record:
    """Reset the failures; close after enough consecutive successful probes."""
    if not _counts(record, permit):
        return record
    record = replace(record, probe=None, successes_total=record.successes_total + 1)
    if permit.probe is None:
        return replace(record, failures=0)
    if record.probe_successes + 1 < limits.success_threshold:
        return replace(record, probe_successes=record.probe_successes + 1)
    return _closed(record)


def fail(record: Record, limits: Limits, permit: Permit, error: str, now: float) -> Record:
    """Count the failure; open after ``fail_max`` consecutive ones, or immediately if it was a probe."""
    if not _counts(record, permit):
        return record
    record = replace(
        record,
        failures=record.failures + 1,
        failures_total=record.failures_total + 1,
        last_error=error,
        last_failure_at=now,
    )
    if permit.probe is not None:
        return _opened(record, limits.reset_timeout, now)
    if record.failures < limits.fail_max:
        return record
    record = replace(record, opened_at=now, trips_total=record.trips_total + 1)
    return _opened(record, limits.reset_timeout, now)


def release(record: Record, permit: Permit) -> Record:
    """End the probe, so that another one may start."""
    return replace(record, probe=None) if _counts(record, permit) else record


def force(record: Record, state: str, reset_timeout: float, now: float) -> Record:
    """Return the record after an operator's decision; the totals are kept."""
    if state == STATE_CLOSED:
        return _closed(record)
    record = _opened(replace(record, opened_at=record.opened_at or now), reset_timeout, now)
    if state == STATE_HALF_OPEN:
        return replace(record, state=STATE_HALF_OPEN, probe_successes=0)
    return replace(record, last_error=OPENED_BY_HAND)


def seconds_until_probe(record: Record, now: float) -> float:
    """Return how long calls are still refused: 0 while closed or when a probe would be admitted."""
    if record.state == STATE_CLOSED:
        return 0.0
    return max(0.0, _wait_seconds(_clamped_to_now(record, now), now))


def _counts(record: Record, permit: Permit) -> bool:
    if permit.probe is not None:
        return record.probe == permit.probe
    return record.state == STATE_CLOSED and record.generation == permit.generation


def _wait_seconds(record: Record, now: float) -> float:
    if record.state == STATE_OPEN:
        return record.waiting_since + record.reset_timeout - now
    if record.probe is None:
        return 0.0
    return record.probe_since + record.probe_lease - now


def _clamped_to_now(record: Record, now: float) -> Record:
    """Restart the wait if the clock was set back, instead of prolonging it."""
    if record.waiting_since <= now and record.probe_since <= now:
        return record
    return replace(
        record,
        waiting_since=min(record.waiting_since, now),
        probe_since=min(record.probe_since, now),
    )


def _opened(record: Record, reset_timeout: float, now: float) -> Record:
    return replace(
        record,
        state=STATE_OPEN,
        generation=record.generation + 1,
        waiting_since=now,
        reset_timeout=reset_timeout,
        probe=None,
    )


def _closed(record: Record) -> Record:
    return replace(
        record,
        state=STATE_CLOSED,
        generation=record.generation + 1,
        failures=0,
        opened_at=None,
        probe=None,
    )
