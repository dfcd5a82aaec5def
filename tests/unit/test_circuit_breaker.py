"""The promises of a circuit breaker to its callers, tested on the store in memory."""

import asyncio
import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pybreaker
import pytest

from analytics_worker.breakers import state_machine
from analytics_worker.breakers.memory import MemoryStore
from analytics_worker.breakers.state_machine import Record
from analytics_worker.breakers.statistics import statistics
from analytics_worker.circuit_breaker import CircuitBreaker, CircuitOpenError
from analytics_worker.errors import PermanentError


class Meta(type):
    """Some libraries give their exceptions a metaclass."""


class BusinessError(Exception, metaclass=Meta):
    pass


def fail(error: BaseException | None = None) -> None:
    raise error or ConnectionError("password=hunter2")


@pytest.fixture
def breaker() -> CircuitBreaker:
    return CircuitBreaker("service", fail_max=3, reset_timeout=600, store=MemoryStore())


def trip(breaker: CircuitBreaker) -> None:
    for _ in range(breaker.fail_max):
        with pytest.raises(ConnectionError):
            breaker.call(fail)


def let_probe(breaker: CircuitBreaker) -> None:
    trip(breaker)
    breaker.force_open(0)


def test_the_original_error_is_raised_even_when_it_trips_the_breaker(breaker: CircuitBreaker):
    trip(breaker)
    assert breaker.current_state == "open"


def test_an_open_breaker_refuses_calls_with_the_reason(breaker: CircuitBreaker):
    trip(breaker)
    calls: list[int] = []
    with pytest.raises(CircuitOpenError) as raised:
        breaker.call(calls.append, 1)
    error = raised.value
    assert calls == []
    assert isinstance(error, pybreaker.CircuitBreakerError)
    assert (error.breaker, error.state) == ("service", "open")
    assert 0 < error.retry_after <= 600
    assert f"'service' is open since {breaker.get_stats()['opened_at']}" in str(error)
    assert "ConnectionError" in str(error)
    assert "next probe in" in str(error)
    assert "hunter2" not in str(error)
    assert "hunter2" not in str(breaker.get_stats())


def test_the_error_survives_pickling(breaker: CircuitBreaker):
    trip(breaker)
    with pytest.raises(CircuitOpenError) as raised:
        breaker.call(fail)
    copy = pickle.loads(pickle.dumps(raised.value))  # noqa: S301
    assert str(copy) == str(raised.value)
    assert (copy.breaker, copy.state, copy.retry_after) == (
        raised.value.breaker,
        raised.value.state,
        raised.value.retry_after,
    )


def test_a_success_resets_consecutive_failures(breaker: CircuitBreaker):
    for _ in range(4):
        with pytest.raises(ConnectionError):
            breaker.call(fail)
        assert breaker.call(lambda: "worked") == "worked"
    assert breaker.current_state == "closed"
    assert breaker.get_stats()["failures_total"] == 4


@pytest.mark.parametrize(
    "error",
    [
        PermanentError("no such view"),
        KeyboardInterrupt(),
        SystemExit(1),
        asyncio.CancelledError(),
        CircuitOpenError("another one"),
        BusinessError(),
        LookupError("excluded by a function"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_unrelated_to_the_service_are_not_counted(error: BaseException):
    breaker = CircuitBreaker(
        "service",
        fail_max=2,
        exclude=[BusinessError, lambda e: isinstance(e, LookupError)],
        store=MemoryStore(),
    )
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    for _ in range(5):
        with pytest.raises(type(error)):
            breaker.call(fail, error)
    assert breaker.fail_counter == 1
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    assert breaker.current_state == "open"


def test_an_excluded_class_with_a_metaclass_excludes_nothing_else():
    breaker = CircuitBreaker("service", fail_max=1, exclude=[BusinessError], store=MemoryStore())
    trip(breaker)
    assert breaker.current_state == "open"


def test_after_a_cancelled_probe_the_next_call_probes(breaker: CircuitBreaker):
    let_probe(breaker)
    with pytest.raises(KeyboardInterrupt):
        breaker.call(fail, KeyboardInterrupt())
    assert breaker.current_state == "half-open"
    breaker.call(lambda: None)
    assert breaker.current_state == "closed"


def test_during_a_probe_other_calls_are_refused(breaker: CircuitBreaker):
    let_probe(breaker)
    with breaker.calling(), ThreadPoolExecutor(1) as other, pytest.raises(CircuitOpenError) as e:
        other.submit(breaker.call, fail).result()
    assert e.value.state == "half-open"
    assert "a probe is under way" in str(e.value)
    assert breaker.current_state == "closed"


def test_a_failed_probe_opens_again_without_another_trip(breaker: CircuitBreaker):
    let_probe(breaker)
    with pytest.raises(ConnectionError):
        breaker.call(fail)
    stats = breaker.get_stats()
    assert (stats["state"], stats["trips_total"], stats["failures_total"]) == ("open", 1, 4)
    assert stats["retry_after_seconds"] > 0


def test_a_wait_of_zero_is_shown_only_when_the_next_call_is_admitted():
    record = state_machine.force(Record(), "open", reset_timeout=60, now=1000.0)
    almost = statistics("service", record, "memory", now=1059.9996)
    assert almost["retry_after_seconds"] == 0.001
    assert statistics("service", record, "memory", now=1060.0)["retry_after_seconds"] == 0


def test_a_late_failure_from_before_a_reset_does_not_count(breaker: CircuitBreaker):
    def fail_after_a_reset() -> None:
        breaker.reset()
        fail()

    with pytest.raises(ConnectionError):
        breaker.call(fail_after_a_reset)
    assert breaker.get_stats()["failures_total"] == 0


def test_calls_inside_a_probe_are_part_of_it(breaker: CircuitBreaker):
    let_probe(breaker)
    with breaker.calling():
        assert breaker.call(breaker.call, lambda: "inside") == "inside"
        assert breaker.current_state == "half-open"
    assert breaker.current_state == "closed"


def test_one_failure_through_two_nested_calls_counts_once(breaker: CircuitBreaker):
    with pytest.raises(ConnectionError):
        breaker.call(breaker.call, breaker.call, fail)
    assert breaker.fail_counter == 1


def test_nothing_is_locked_while_calls_run(breaker: CircuitBreaker):
    together = threading.Barrier(4, timeout=20)
    with ThreadPoolExecutor(4) as threads:
        results = [threads.submit(breaker.call, together.wait) for _ in range(4)]
    assert sorted(result.result() for result in results) == [0, 1, 2, 3]


@pytest.mark.parametrize("way", ["decorator", "call", "call_async", "with"])
def test_failures_of_coroutines_count(breaker: CircuitBreaker, way: str):
    async def failing() -> None:
        await asyncio.sleep(0)
        fail()

    async def guarded() -> None:
        with breaker.calling():
            await failing()

    ways: dict[str, Any] = {
        "decorator": breaker(failing),
        "call": lambda: breaker.call(failing),
        "call_async": lambda: breaker.call_async(failing),
        "with": guarded,
    }
    for _ in range(3):
        with pytest.raises(ConnectionError):
            asyncio.run(ways[way]())
    with pytest.raises(CircuitOpenError):
        asyncio.run(ways[way]())


def test_a_generator_is_guarded_for_its_whole_run(breaker: CircuitBreaker):
    @breaker
    def numbers() -> Iterator[int]:
        yield 1
        fail()

    for _ in range(3):
        with pytest.raises(ConnectionError):
            list(numbers())
    with pytest.raises(CircuitOpenError):
        list(numbers())


def test_an_asynchronous_generator_is_refused_with_the_way_to_write_it(breaker: CircuitBreaker):
    async def stream():
        yield 1

    with pytest.raises(TypeError, match=r"with breaker\.calling\(\)"):
        breaker(stream)


def test_the_decorator_keeps_name_and_result(breaker: CircuitBreaker):
    @breaker
    def double(number: int) -> int:
        """Twice as much."""
        return 2 * number

    assert (double(4), double.__name__, double.__doc__) == (8, "double", "Twice as much.")
