"""What a circuit breaker does next: pure functions from one record to the next.

Reads and writes nothing; stores run them inside their own transaction, so each step is atomic.
``transition.lua`` is the same logic inside Redis. Repeating is safe: a result counts only while
the permit that it belongs to is valid, and the first result ends the validity of a probe.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

# pybreaker's own words. Imported from there they would bring Redis' client along, 6 MB, into a
# process that only reads records.
STATE_CLOSED, STATE_HALF_OPEN, STATE_OPEN = "closed", "half-open", "open"

OPENED_BY_HAND = "opened by hand"


class StoreUnreachableError(Exception):
    """The place where breakers keep their state does not answer or cannot be written."""


class Limits(NamedTuple):
    """When a breaker opens and how it closes again; durations in seconds."""

    fail_max: int
    reset_timeout: float
    success_threshold: int
    probe_lease: float


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known about one breaker; instants are seconds since 1970, totals never fall."""

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
    """Leave to make one call; ``probe`` is set when the call decides whether the breaker closes."""

    issuer: "BreakerStore"
    generation: int
    probe: str | None = None
    after_failures: bool = False
    found: str = STATE_CLOSED


class Refusal(NamedTuple):
    """Why a call was turned away; ``retry_after`` in seconds."""

    state: str
    retry_after: float
    opened_at: float | None
    last_error: str | None


class Change(NamedTuple):
    """The state before and after one step."""

    before: str
    after: str


class BreakerStore(Protocol):
    """Keeps the records of all breakers; every method is one atomic step.

    Raises StoreUnreachableError when the state cannot be read or written.
    """

    @property
    def kind(self) -> str:
        """``memory``, ``sqlite`` or ``redis``."""
        ...

    def acquire(self, name: str, limits: Limits) -> Permit | Refusal:
        """Ask to make one call; a refusal is counted."""
        ...

    def succeed(self, name: str, limits: Limits, permit: Permit) -> Change:
        """Record that the call worked."""
        ...

    def fail(self, name: str, limits: Limits, permit: Permit, error: str) -> Change:
        """Record that the call failed with an error of this type."""
        ...

    def release(self, name: str, permit: Permit) -> None:
        """Give a permit back without a verdict: another call may probe at once."""
        ...

    def count_successes(self, name: str, count: int) -> None:
        """Add calls that worked and changed nothing else."""
        ...

    def force(self, name: str, state: str, reset_timeout: float) -> Change:
        """Put the breaker into a state by hand; results of earlier calls no longer count."""
        ...

    def load(self, name: str) -> Record:
        """The breaker's record; a fresh one if it was never written."""
        ...

    def load_all(self) -> dict[str, Record]:
        """Every breaker that was ever written, by name."""
        ...

    def check(self) -> None:
        """Prove that the store can be written."""
        ...


def acquire(
    record: Record, limits: Limits, token: str, now: float, issuer: BreakerStore
) -> tuple[Record, Permit | Refusal]:
    """Let calls through while closed; else turn them away, but for one probe at a time."""
    if record.state == STATE_CLOSED:
        return record, Permit(issuer, record.generation, None, record.failures > 0)
    record = _not_in_the_future(record, now)
    left = _seconds_left(record, now)
    if left > 0:
        refusal = Refusal(record.state, left, record.opened_at, record.last_error)
        return replace(record, rejections_total=record.rejections_total + 1), refusal
    probing = replace(
        record,
        state=STATE_HALF_OPEN,
        probe=token,
        probe_since=now,
        probe_lease=limits.probe_lease,
        probe_successes=record.probe_successes if record.state == STATE_HALF_OPEN else 0,
    )
    return probing, Permit(issuer, record.generation, token, found=record.state)


def succeed(record: Record, limits: Limits, permit: Permit) -> Record:
    """Forget earlier failures; close once enough probes in a row have worked."""
    if not _counts(record, permit):
        return record
    record = replace(record, probe=None, successes_total=record.successes_total + 1)
    if permit.probe is None:
        return replace(record, failures=0)
    if record.probe_successes + 1 < limits.success_threshold:
        return replace(record, probe_successes=record.probe_successes + 1)
    return _closed(record)


def fail(record: Record, limits: Limits, permit: Permit, error: str, now: float) -> Record:
    """Count the failure; open after ``fail_max`` in a row, or at once when it was the probe."""
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
        return _waiting(record, limits.reset_timeout, now)
    if record.failures < limits.fail_max:
        return record
    record = replace(record, opened_at=now, trips_total=record.trips_total + 1)
    return _waiting(record, limits.reset_timeout, now)


def release(record: Record, permit: Permit) -> Record:
    """Free the probe's place; nothing else changes."""
    return replace(record, probe=None) if _counts(record, permit) else record


def force(record: Record, state: str, reset_timeout: float, now: float) -> Record:
    """The record after an operator's decision; the totals stay."""
    if state == STATE_CLOSED:
        return _closed(record)
    record = _waiting(replace(record, opened_at=record.opened_at or now), reset_timeout, now)
    if state == STATE_HALF_OPEN:
        return replace(record, state=STATE_HALF_OPEN, probe_successes=0)
    return replace(record, last_error=OPENED_BY_HAND)


def seconds_until_probe(record: Record, now: float) -> float:
    """How long calls are still turned away: 0 while closed or when a probe would be let through."""
    if record.state == STATE_CLOSED:
        return 0.0
    return max(0.0, _seconds_left(_not_in_the_future(record, now), now))


def _counts(record: Record, permit: Permit) -> bool:
    if permit.probe is not None:
        return record.probe == permit.probe
    return record.state == STATE_CLOSED and record.generation == permit.generation


def _seconds_left(record: Record, now: float) -> float:
    if record.state == STATE_OPEN:
        return record.waiting_since + record.reset_timeout - now
    if record.probe is None:
        return 0.0
    return record.probe_since + record.probe_lease - now


def _not_in_the_future(record: Record, now: float) -> Record:
    """A clock that was set back starts the wait again instead of prolonging it."""
    if record.waiting_since <= now and record.probe_since <= now:
        return record
    return replace(
        record,
        waiting_since=min(record.waiting_since, now),
        probe_since=min(record.probe_since, now),
    )


def _waiting(record: Record, reset_timeout: float, now: float) -> Record:
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
