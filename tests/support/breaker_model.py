"""Model a circuit breaker in the simplest way, and compare every store with it.

Time does not pass: records are made older instead, so one model serves stores with any clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from analytics_worker.breakers.failure_limits import Limits
from analytics_worker.breakers.state_machine import BreakerStore, Permit, Refusal

NAME = "service"
LIMITS = Limits(fail_max=3, reset_timeout=600, success_threshold=2, probe_lease=300)
MakeOlder = Callable[[float], None]


@dataclass
class Expected:
    """The reference: one breaker, one thought at a time."""

    state: str = "closed"
    age: float = 0.0
    epoch: int = 0
    failures: int = 0
    good_probes: int = 0
    probe: Permit | None = None
    probe_age: float = 0.0
    trips: int = 0
    rejections: int = 0
    failed: int = 0
    succeeded: int = 0
    epoch_of: dict[int, int] = field(default_factory=dict[int, int])

    def lets_through(self) -> bool:
        if self.state == "open":
            return self.age >= LIMITS.reset_timeout
        free = self.probe is None or self.probe_age >= LIMITS.probe_lease
        return self.state == "closed" or free

    def started(self, permit: Permit) -> None:
        self.epoch_of[id(permit)] = self.epoch
        if self.state == "closed":
            return
        if self.state == "open":
            self.good_probes = 0
        self.state, self.probe, self.probe_age = "half-open", permit, 0.0

    def matters(self, permit: Permit) -> bool:
        if self.state == "closed":
            return permit.probe is None and self.epoch_of[id(permit)] == self.epoch
        return self.probe is permit

    def move(self, state: str) -> None:
        self.state, self.age, self.probe = state, 0.0, None
        self.epoch += 1

    def failure(self, permit: Permit) -> None:
        if not self.matters(permit):
            return
        self.failures += 1
        self.failed += 1
        if self.state == "half-open":
            self.move("open")
        elif self.failures >= LIMITS.fail_max:
            self.trips += 1
            self.move("open")

    def success(self, permit: Permit) -> None:
        if not self.matters(permit):
            return
        self.succeeded += 1
        if self.state == "closed":
            self.failures = 0
            return
        self.probe = None
        self.good_probes += 1
        if self.good_probes >= LIMITS.success_threshold:
            self.failures = 0
            self.move("closed")


class BreakerMachine(RuleBasedStateMachine):
    """Calls that start, end in any order or never, time, and an operator."""

    calls: Bundle[Permit] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.store, self.make_older = self.open_store()
        self.expected = Expected()
        self.kept: list[Permit] = []  # the reference distinguishes calls by identity

    def open_store(self) -> tuple[BreakerStore, MakeOlder]:
        """An empty store and a way to make its record older."""
        raise NotImplementedError

    @rule(target=calls)
    def start(self):
        answer = self.store.acquire(NAME, LIMITS)
        assert isinstance(answer, Permit) == self.expected.lets_through()
        if isinstance(answer, Refusal):
            self.expected.rejections += 1
            assert 0 < answer.retry_after <= LIMITS.reset_timeout
            return multiple()
        self.kept.append(answer)
        self.expected.started(answer)
        return answer

    @rule(call=calls)
    def fail(self, call: Permit):
        self.store.fail(NAME, LIMITS, call, "OSError")
        self.expected.failure(call)

    @rule(call=calls)
    def succeed(self, call: Permit):
        self.store.succeed(NAME, LIMITS, call)
        self.expected.success(call)

    @rule(call=calls)
    def end_without_verdict(self, call: Permit):
        self.store.release(NAME, call)
        if self.expected.probe is call:
            self.expected.probe = None

    @rule(seconds=st.sampled_from([100.0, 301.0, 601.0]))
    def pass_time(self, seconds: float):
        self.make_older(seconds)
        self.expected.age += seconds
        self.expected.probe_age += seconds

    @rule(state=st.sampled_from(["closed", "open"]))
    def force(self, state: str):
        self.store.force(NAME, state, LIMITS.reset_timeout)
        self.expected.move(state)
        if state == "closed":
            self.expected.failures = 0

    @rule(count=st.integers(1, 5))
    def hand_over_successes(self, count: int):
        self.store.count_successes(NAME, count)
        self.expected.succeeded += count

    @invariant()
    def agrees_with_the_reference(self):
        record, expected = self.store.load(NAME), self.expected
        assert record.state == expected.state
        assert record.failures == expected.failures
        assert record.failures_total == expected.failed
        assert record.successes_total == expected.succeeded
        assert record.rejections_total == expected.rejections
        assert record.trips_total == expected.trips
        assert (record.probe is None) == (expected.probe is None)
        assert (record.opened_at is None) == (expected.state == "closed")
